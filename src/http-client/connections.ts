import { Answer } from './answer.ts'
import { type Bounds, Connection, ConnectionClosedError, type Dial } from './connection.ts'
import type { NextBlock } from './memory.ts'
import { readResponseHead } from './response-head.ts'

const MAX_KEPT = 16
/** A connection that is given up by the other side just now must not be taken for one that is kept. */
const LATENESS_MS = 1_000
/** More of them before one answer are not waited out. */
const MAX_INTERIM = 8

export interface ConnectionOptions {
  readonly dial: Dial
  readonly bounds: Bounds
  /** For a new connection, beside so many others: where it reads to. */
  readonly memory: (open: number) => NextBlock
  /** Between two requests, at most; each holds the memory that it reads into. */
  readonly maxKept?: number
  /** At once; whoever asks then waits until one is free. No bound unless told. */
  readonly maxOpen?: number
}

/** A request that is sent whole. */
export interface PlainRequest {
  readonly method: string
  /** Latin1; see `plainHead`. */
  readonly head: string
  readonly body?: Buffer
}

/** An answer for a parser that knows all of HTTP; its body was not read. */
export interface UnusualAnswer {
  readonly kind: 'unusual'
  readonly status: number | undefined
}

/** Connections to one server. Each carries one request at a time, and is used again. */
export class Connections implements Disposable {
  readonly #options: ConnectionOptions
  readonly #open = new Set<Connection>()
  readonly #kept = new Set<Connection>()
  readonly #waiting = new Set<() => void>()
  #retired = false
  #disposed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /**
   * Throws when there is no answer. What changes nothing is asked once more when a kept connection turned out to be closed.
   *
   * @param asked a request, or the head of a GET, latin1; see `getHead`
   * @param using told of the connection before the request is written
   */
  async ask(
    asked: string | PlainRequest,
    signal: AbortSignal,
    using: (connection: Connection) => void = () => undefined,
  ): Promise<Answer | UnusualAnswer> {
    signal.throwIfAborted()
    const request = typeof asked === 'string' ? { method: 'GET', head: asked } : asked
    while (this.#isFull) await this.#anyFree(signal)
    if (this.#disposed) throw new ConnectionClosedError('the connections were closed here')
    const kept = this.#latestKept
    if (kept === undefined) return await this.#askOn(this.#begin(), request, signal, using)
    this.#kept.delete(kept)
    try {
      return await this.#askOn(kept, request, signal, using)
    } catch (error) {
      if (signal.aborted || !this.#mayAskAgain(request, error)) throw error
      return await this.#askOn(this.#begin(), request, signal, using)
    }
  }

  #mayAskAgain(request: PlainRequest, error: unknown): boolean {
    return error instanceof ConnectionClosedError && isSafe(request) && !this.#disposed
  }

  /** Ends what is idle now; what is in use ends with its answer. */
  retire(): void {
    this.#retired = true
    for (const connection of this.#kept) connection.destroy()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.retire()
    for (const connection of this.#open) connection.destroy()
    this.#tellFree()
  }

  get #isFull(): boolean {
    return this.#open.size >= (this.#options.maxOpen ?? Infinity) && this.#latestKept === undefined
  }

  /** One that has ended, or that is not trusted any more, is still among the kept ones until it is closed. */
  get #latestKept(): Connection | undefined {
    return [...this.#kept].findLast(({ closed }) => !closed)
  }

  async #anyFree(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const lookAgain = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        this.#waiting.delete(lookAgain)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.add(lookAgain)
    })
  }

  #tellFree(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const lookAgain of waiting) lookAgain()
  }

  #begin(): Connection {
    const { dial, bounds, memory } = this.#options
    const connection = new Connection(dial, bounds, memory(this.#open.size), () => {
      this.#open.delete(connection)
      this.#kept.delete(connection)
      this.#tellFree()
    })
    this.#open.add(connection)
    return connection
  }

  async #askOn(
    connection: Connection,
    { method, head, body }: PlainRequest,
    signal: AbortSignal,
    using: (connection: Connection) => void,
  ): Promise<Answer | UnusualAnswer> {
    const abort = () => {
      connection.destroy(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
    // A composite signal with a listener is kept by Node for ever, and the connection's memory with it.
    const end = (reusable: boolean, keptMs = Infinity) => {
      signal.removeEventListener('abort', abort)
      // An answer that comes before all of the request was taken is the last one.
      if (reusable && connection.idle) this.#keep(connection, keptMs - LATENESS_MS)
      else connection.destroy()
    }
    try {
      using(connection)
      connection.write(head, body)
      return await answerOn(connection, end, method === 'HEAD')
    } catch (error) {
      end(false)
      throw error
    }
  }

  /** @param forMs at most */
  #keep(connection: Connection, forMs: number): void {
    // It may have been closed while the answer was on hold, for its client that went away.
    if (
      this.#retired ||
      connection.closed ||
      forMs <= 0 ||
      this.#kept.size >= (this.#options.maxKept ?? MAX_KEPT)
    ) {
      connection.destroy()
      return
    }
    this.#kept.add(connection)
    connection.rest(forMs)
    this.#tellFree()
  }
}

/** Whether it can be asked twice without anything being done twice. RFC 9110, section 9.2.1. */
function isSafe({ method }: PlainRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

async function answerOn(
  connection: Connection,
  end: (reusable: boolean, keptMs?: number) => void,
  toHead: boolean,
): Promise<Answer | UnusualAnswer> {
  let bytes = await connection.read()
  let reading = readResponseHead(bytes, toHead)
  let interim = 0
  while (reading.kind === 'incomplete' || (reading.kind === 'interim' && interim < MAX_INTERIM)) {
    if (reading.kind === 'interim') {
      interim += 1
      bytes = bytes.subarray(reading.headBytes)
    }
    const isHere = reading.kind === 'interim' && bytes.length > 0
    if (!isHere) bytes = Buffer.concat([Buffer.from(bytes), await connection.read()])
    reading = readResponseHead(bytes, toHead)
  }
  if (reading.kind === 'head') {
    const { head, headBytes } = reading
    const ended = (reusable: boolean) => {
      end(reusable, head.keptMs)
    }
    return new Answer({ head, first: bytes.subarray(headBytes), connection, end: ended })
  }
  end(false)
  return reading.kind === 'unusual' ? reading : { kind: 'unusual', status: undefined }
}
