import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { HttpServer } from '../src/http/server.ts'
import { Stack } from '../src/lifecycle/stack.ts'
import type { Descriptor } from '../src/oci/descriptor.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import { Spool } from '../src/spool/spool.ts'
import { spoolUrl, startSpoolServer } from '../src/spool/spool-server.ts'
import type { SpooledBlob } from '../src/spool/spooled-blob.ts'

// Some layers of the largest kind. What finds no room is not followed but waited for.
const MAX_BYTES = 8 * 1024 ** 3

/** Half of what is free: the folder is not this worker's alone. */
async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(MAX_BYTES, (bavail * bsize) / 2)
}

/** This worker's spool, its server, and the place where gateways find it. */
export class WorkerSpool implements AsyncDisposable {
  readonly #spool: Spool
  readonly #server: HttpServer
  readonly #onTheWay: OnTheWay

  private constructor(spool: Spool, server: HttpServer, onTheWay: OnTheWay) {
    this.#spool = spool
    this.#server = server
    this.#onTheWay = onTheWay
  }

  /**
   * Undefined, and reported, when this machine gives no place for it: then clients wait for what
   * this worker brings, and do not follow it.
   *
   * @param host the address at which the other processes of this site reach this one
   */
  static async open(
    host: string,
    onTheWay: OnTheWay,
    onRefused: (folder: string, error: unknown) => void,
  ): Promise<WorkerSpool | undefined> {
    const folder = tmpdir()
    const stack = new Stack()
    try {
      const spool = stack.use(await Spool.open({ folder, maxBytes: await roomIn(folder) }))
      return new WorkerSpool(spool, await startSpoolServer(spool, host), onTheWay)
    } catch (error) {
      await stack[Symbol.asyncDispose]()
      onRefused(folder, error)
      return undefined
    }
  }

  async add(blob: Descriptor, offset: number): Promise<SpooledBlob | undefined> {
    const spooled = await this.#spool.add(blob, offset)
    if (spooled === undefined) return undefined
    await this.#onTheWay.follow(blob.digest, spoolUrl(this.#server, spooled.key))
    return spooled.blob
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(0)
    await this.#spool[Symbol.asyncDispose]()
  }
}
