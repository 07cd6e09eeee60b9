import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { HttpServer } from '../src/http/server.ts'
import { Stack } from '../src/lifecycle/stack.ts'
import type { Digest } from '../src/oci/digest.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import { Spool, type SpoolWish } from '../src/spool/spool.ts'
import type { Arrivals } from './kept-body.ts'
import { spoolAddress, startSpoolServer } from '../src/spool/spool-server.ts'
import type { SpoolsHere } from '../src/spool/spools-here.ts'
import type { SpooledBlob } from '../src/spool/spooled-blob.ts'

// Some layers of the largest kind. What finds no room is not followed but waited for.
const MAX_BYTES = 8 * 1024 ** 3

const SWEEP_EVERY_MS = 600_000

/** Half of what is free: the folder is not this worker's alone. */
async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(MAX_BYTES, (bavail * bsize) / 2)
}

/** How gateways find what is in it. */
export interface Publicity {
  readonly onTheWay: OnTheWay
  /** Where there is a gateway in this process. */
  readonly here?: SpoolsHere
}

/** This worker's spool, its server, and the place where gateways find it. */
export class WorkerSpool implements AsyncDisposable {
  readonly arrivals: Arrivals = { bytes: 0 }
  readonly #spool: Spool
  readonly #server: HttpServer
  readonly #onTheWay: OnTheWay
  readonly #here: SpoolsHere | undefined
  readonly #sweeping: NodeJS.Timeout

  private constructor(spool: Spool, server: HttpServer, { onTheWay, here }: Publicity) {
    this.#spool = spool
    this.#server = server
    this.#onTheWay = onTheWay
    this.#here = here
    here?.add(this.#address, spool)
    this.#sweeping = setInterval(() => void spool.sweep(), SWEEP_EVERY_MS).unref()
  }

  /**
   * Undefined, and reported, when this machine gives no place for it: then clients wait for what
   * this worker brings, and do not follow it.
   *
   * @param host the address at which the other processes of this site reach this one
   */
  static async open(
    host: string,
    publicity: Publicity,
    onRefused: (folder: string, error: unknown) => void,
  ): Promise<WorkerSpool | undefined> {
    const folder = tmpdir()
    const stack = new Stack()
    try {
      const spool = stack.use(await Spool.open({ parent: folder, maxBytes: await roomIn(folder) }))
      return new WorkerSpool(spool, await startSpoolServer(spool, host), publicity)
    } catch (error) {
      await stack[Symbol.asyncDispose]()
      onRefused(folder, error)
      return undefined
    }
  }

  /** Those that clients wait for can be found by them from now on. */
  async add(wish: SpoolWish): Promise<SpooledBlob | undefined> {
    const spooled = await this.#spool.add(wish)
    if (spooled === undefined) return undefined
    const { blob, followed } = wish
    // The copy does not wait for it to be written down.
    if (followed) void this.#onTheWay.follow(blob.digest, this.#address + spooled.key)
    return spooled.blob
  }

  get #address(): string {
    return spoolAddress(this.#server)
  }

  async release(origin: string, digest: Digest): Promise<void> {
    await this.#spool.release(origin, digest)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeping)
    this.#here?.delete(this.#address)
    await this.#server.stop(0)
    await this.#spool[Symbol.asyncDispose]()
  }
}
