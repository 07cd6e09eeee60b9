import {
  type Address,
  BlobConnection,
  type Bounds,
  ConnectionClosedError,
} from './blob-connection.ts'
import type { Asked } from './local-registry.ts'
import { getHead } from './request-head.ts'
import { readResponseHead } from './response-head.ts'
import { SizedAnswer, type SizedParts } from './sized-answer.ts'

// Each holds the memory that it reads into.
const MAX_KEPT = 16
/** A registry that sends its blobs in another way is not asked for each of them twice. */
const NOT_AGAIN_FOR_MS = 60_000

/**
 * Asks a registry for blobs over plain HTTP, so that gigabytes cost little. It knows one form of answer, the one
 * that registries give: of a length that the head tells. All else is left to Node's client.
 */
export class BlobConnections implements Disposable {
  readonly #address: Address
  readonly #bounds: Bounds
  readonly #prefix: string
  readonly #open = new Set<BlobConnection>()
  readonly #kept = new Set<BlobConnection>()
  #retired = false
  #notBefore = 0

  constructor({ hostname, port, pathname }: URL, bounds: Bounds) {
    this.#bounds = bounds
    // A bracketed IPv6 address is no host name.
    const host = hostname.replace(/^\[|\]$/g, '')
    this.#address = { host, port: port === '' ? 80 : Number(port) }
    this.#prefix = pathname.replace(/\/$/, '')
  }

  /**
   * Undefined when it has to be asked in another way. Throws when the registry cannot be reached.
   * Once more when a kept connection turned out to be closed.
   */
  async ask({ path, headers }: Asked, signal: AbortSignal): Promise<SizedAnswer | undefined> {
    const head = getHead(this.#prefix + path, headers)
    if (head === undefined || performance.now() < this.#notBefore) return undefined
    signal.throwIfAborted()
    const kept = [...this.#kept].at(-1)
    if (kept === undefined) return await this.#askOn(this.#begin(), head, signal)
    this.#kept.delete(kept)
    try {
      return await this.#askOn(kept, head, signal)
    } catch (error) {
      if (!(error instanceof ConnectionClosedError) || signal.aborted) throw error
      return await this.#askOn(this.#begin(), head, signal)
    }
  }

  /** Ends what is idle now; what is in use ends with its answer. */
  retire(): void {
    this.#retired = true
    for (const connection of this.#kept) connection.destroy()
  }

  [Symbol.dispose](): void {
    this.retire()
    for (const connection of this.#open) connection.destroy()
  }

  #begin(): BlobConnection {
    const connection = new BlobConnection(this.#address, this.#bounds, () => {
      this.#open.delete(connection)
      this.#kept.delete(connection)
    })
    this.#open.add(connection)
    return connection
  }

  async #askOn(
    connection: BlobConnection,
    head: string,
    signal: AbortSignal,
  ): Promise<SizedAnswer | undefined> {
    const abort = () => {
      connection.destroy(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
    // A composite signal with a listener is kept by Node for ever, and the connection's memory with it.
    const end = (reusable: boolean) => {
      signal.removeEventListener('abort', abort)
      if (reusable) this.#keep(connection)
      else connection.destroy()
    }
    try {
      connection.write(head)
      return await this.#answer(connection, end)
    } catch (error) {
      end(false)
      throw error
    }
  }

  async #answer(
    connection: BlobConnection,
    end: SizedParts['end'],
  ): Promise<SizedAnswer | undefined> {
    let bytes = await connection.read()
    let reading = readResponseHead(bytes)
    while (reading.kind === 'incomplete') {
      const before = Buffer.from(bytes)
      bytes = Buffer.concat([before, await connection.read()])
      reading = readResponseHead(bytes)
    }
    if (reading.kind === 'sized') {
      const { head, headBytes } = reading
      return new SizedAnswer({ head, first: bytes.subarray(headBytes), connection, end })
    }
    end(false)
    const { status } = reading
    if (status === 200 || status === 206) this.#notBefore = performance.now() + NOT_AGAIN_FOR_MS
    return undefined
  }

  #keep(connection: BlobConnection): void {
    // It may have been closed while the answer was on hold, for its client that went away.
    if (this.#retired || connection.closed || this.#kept.size >= MAX_KEPT) {
      connection.destroy()
      return
    }
    this.#kept.add(connection)
    connection.rest()
  }
}
