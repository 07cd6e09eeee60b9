import { Answer } from './answer.ts'
import { type Bounds, Connection, ConnectionClosedError, type Dial } from './connection.ts'
import type { NextBlock } from './memory.ts'
import { readResponseHead } from './response-head.ts'

// Each holds the memory that it reads into.
const MAX_KEPT = 16

export interface ConnectionOptions {
  readonly dial: Dial
  readonly bounds: Bounds
  /** For a new connection: where it reads to. */
  readonly memory: () => NextBlock
}

/** An answer for a parser that knows all of HTTP; its body was not read. */
export interface UnusualAnswer {
  readonly kind: 'unusual'
  readonly status: number | undefined
}

/** Connections to one server. Each carries one request at a time, a GET without a body, and is used again. */
export class Connections implements Disposable {
  readonly #options: ConnectionOptions
  readonly #open = new Set<Connection>()
  readonly #kept = new Set<Connection>()
  #retired = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /**
   * Throws when there is no answer. Once more when a kept connection turned out to be closed.
   *
   * @param head of the request, latin1; see `getHead`
   * @param using told of the connection before the request is written
   */
  async ask(
    head: string,
    signal: AbortSignal,
    using: (connection: Connection) => void = () => undefined,
  ): Promise<Answer | UnusualAnswer> {
    signal.throwIfAborted()
    const kept = [...this.#kept].at(-1)
    if (kept === undefined) return await this.#askOn(this.#begin(), head, signal, using)
    this.#kept.delete(kept)
    try {
      return await this.#askOn(kept, head, signal, using)
    } catch (error) {
      if (!(error instanceof ConnectionClosedError) || signal.aborted) throw error
      return await this.#askOn(this.#begin(), head, signal, using)
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

  #begin(): Connection {
    const { dial, bounds, memory } = this.#options
    const connection = new Connection(dial, bounds, memory(), () => {
      this.#open.delete(connection)
      this.#kept.delete(connection)
    })
    this.#open.add(connection)
    return connection
  }

  async #askOn(
    connection: Connection,
    head: string,
    signal: AbortSignal,
    using: (connection: Connection) => void,
  ): Promise<Answer | UnusualAnswer> {
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
      using(connection)
      connection.write(head)
      return await answerOn(connection, end)
    } catch (error) {
      end(false)
      throw error
    }
  }

  #keep(connection: Connection): void {
    // It may have been closed while the answer was on hold, for its client that went away.
    if (this.#retired || connection.closed || this.#kept.size >= MAX_KEPT) {
      connection.destroy()
      return
    }
    this.#kept.add(connection)
    connection.rest()
  }
}

async function answerOn(
  connection: Connection,
  end: (reusable: boolean) => void,
): Promise<Answer | UnusualAnswer> {
  let bytes = await connection.read()
  let reading = readResponseHead(bytes)
  while (reading.kind === 'incomplete') {
    const before = Buffer.from(bytes)
    bytes = Buffer.concat([before, await connection.read()])
    reading = readResponseHead(bytes)
  }
  if (reading.kind === 'head') {
    const { head, headBytes } = reading
    return new Answer({ head, first: bytes.subarray(headBytes), connection, end })
  }
  end(false)
  return reading
}
