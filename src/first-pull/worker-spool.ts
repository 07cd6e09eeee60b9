import { mkdir, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { HttpServer } from '../http/server.ts'
import { openFilesLimit } from '../lifecycle/open-files.ts'
import { Stack } from '../lifecycle/stack.ts'
import type { Digest } from '../oci/digest.ts'
import type { InFlight } from '../pool/in-flight.ts'
import { Spool, type SpoolWish } from '../spool/spool.ts'
import type { Arrivals } from './tee-to-spool.ts'
import { spoolAddress, startSpoolServer } from '../spool/spool-server.ts'
import type { SpoolsHere } from '../spool/spools-here.ts'
import type { SpooledBlob } from '../spool/spooled-blob.ts'

// Some large layers.
const MAX_BYTES = 8 * 1024 ** 3

const SWEEP_EVERY_MS = 600_000
/** Clients that are late read what has landed from the registry. */
const IDLE_MS = 60_000
/** Of the files that the process may have open: the rest is for connections. */
const SHARE_OF_FILES = 1 / 4

/** Half of what is free: the folder is not this worker's alone. */
async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(MAX_BYTES, (bavail * bsize) / 2)
}

/** What the configuration says of it. */
export interface SpoolPlace {
  readonly folder?: string
  readonly maxBytes?: number
}

/** How gateways find what is in it. */
export interface Publicity {
  readonly inFlight: InFlight
  /** Where there is a gateway in this process. */
  readonly here?: SpoolsHere
}

/** This worker's spool, its server, and the place where gateways find it. */
export class WorkerSpool implements AsyncDisposable {
  readonly arrivals: Arrivals = { bytes: 0 }
  readonly #spool: Spool
  readonly #server: HttpServer
  readonly #inFlight: InFlight
  readonly #here: SpoolsHere | undefined
  readonly #sweeping: NodeJS.Timeout
  readonly #closing: NodeJS.Timeout

  private constructor(spool: Spool, server: HttpServer, { inFlight, here }: Publicity) {
    this.#spool = spool
    this.#server = server
    this.#inFlight = inFlight
    this.#here = here
    here?.add(this.#address, spool)
    this.#closing = setInterval(() => void spool.closeIdle(IDLE_MS), IDLE_MS / 4).unref()
    this.#sweeping = setInterval(() => void spool.sweep(), SWEEP_EVERY_MS).unref()
  }

  /**
   * As large as this machine has room for where the configuration does not say. Undefined, and reported,
   * when there is no place for it: then clients wait for what this worker brings, and do not follow it.
   *
   * @param host the address at which the other processes of this site reach this one
   */
  static async open(
    host: string,
    { folder = tmpdir(), maxBytes }: SpoolPlace,
    publicity: Publicity,
    onRefused: (folder: string, error: unknown) => void,
  ): Promise<WorkerSpool | undefined> {
    const stack = new Stack()
    try {
      await mkdir(folder, { recursive: true })
      const spool = stack.use(
        await Spool.open({
          parent: folder,
          maxBytes: maxBytes ?? (await roomIn(folder)),
          maxFiles: Math.floor((openFilesLimit() ?? Infinity) * SHARE_OF_FILES),
          onRefused: (error) => {
            onRefused(folder, error)
          },
        }),
      )
      return new WorkerSpool(spool, await startSpoolServer(spool, host), publicity)
    } catch (error) {
      await stack[Symbol.asyncDispose]()
      onRefused(folder, error)
      return undefined
    }
  }

  /** Clients can find it from now on, also those that come later. */
  async add(wish: SpoolWish, upstream: string): Promise<SpooledBlob | undefined> {
    const spooled = await this.#spool.add(wish)
    if (spooled === undefined) return undefined
    const { digest } = wish.blob
    // The copy does not wait for it to be written down.
    void this.#inFlight.follow({ upstream, digest }, this.#address + spooled.key)
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
    clearInterval(this.#closing)
    this.#here?.delete(this.#address)
    await this.#server.stop(0)
    await this.#spool[Symbol.asyncDispose]()
  }
}
