import type { OnReadOpts, Socket } from 'node:net'
import type { NextBlock } from './memory.ts'

/** Connects, over TLS or not, and reads as it is told. */
export type Dial = (onread: OnReadOpts) => Socket

/** How long nothing may move on a connection, in milliseconds; 0 where somebody else sees to that. */
export interface Bounds {
  /** Before the other side has lost the request. */
  readonly idleMs: number
  /** Between two requests. */
  readonly keptMs: number
}

/** The other side closed it. One that was kept may have been closed before the request reached it. */
export class ConnectionClosedError extends Error {
  override readonly name = 'ConnectionClosedError'
  /** As Node has it for the same. */
  readonly code = 'ECONNRESET'
}

interface Reader {
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: Error) => void
}

// TLS gives its records one by one, 16 KiB at most; what has come by the end of the turn is one piece.
const PIECE_BYTES = 128 * 1024
/** A record is not to be cut in two by the end of a block. */
const LEAST_ROOM = 16 * 1024

/**
 * A connection whose bytes are read into memory that was chosen for them. Node's own client has each 64 KiB read
 * into new memory and copies it once more in its parser; over TLS, it does so for each record.
 */
export class Connection {
  readonly #socket: Socket
  readonly #bounds: Bounds
  readonly #nextBlock: NextBlock
  #block: Buffer
  /** What of the block came and was not read yet lies between these two. */
  #readUntil = 0
  #filledUntil = 0
  /** What came before that and was not read yet. */
  readonly #waiting: Buffer[] = []
  #reader: Reader | undefined
  #gathering: NodeJS.Immediate | undefined
  #failure: NodeJS.ErrnoException | undefined
  #ended = false
  #resting = false

  constructor(dial: Dial, bounds: Bounds, nextBlock: NextBlock, onClose: () => void) {
    this.#bounds = bounds
    this.#nextBlock = nextBlock
    this.#block = nextBlock()
    this.#socket = dial({ buffer: () => this.#room(), callback: (bytes) => this.#received(bytes) })
    this.#socket.on('error', (error) => (this.#failure ??= error))
    this.#socket.once('end', () => (this.#ended = true))
    this.#socket.once('close', () => {
      this.#give()
      this.#takeReader()?.reject(this.#whyClosed())
      onClose()
    })
    this.#socket.on('timeout', () => {
      this.destroy(new Error(`no byte moved for ${bounds.idleMs / 1_000} s`))
    })
  }

  /** Or about to be: it carries no request any more. */
  get closed(): boolean {
    return this.#socket.destroyed || this.#ended
  }

  /** The other side said that nothing more comes, and nothing went wrong. */
  get ended(): boolean {
    return this.#ended && this.#failure === undefined
  }

  /** No byte of a request could be sent yet. */
  get connecting(): boolean {
    return this.#socket.connecting
  }

  /** Bytes that went out or came in, to see whether anything moves. */
  get moved(): number {
    return this.#socket.bytesWritten + this.#socket.bytesRead
  }

  /** Sends a request. Its answer is for `read`. */
  write(head: string, body?: Buffer): void {
    this.#resting = false
    const socket = this.#socket
    socket.setTimeout(this.#bounds.idleMs)
    if (body === undefined || body.length === 0) {
      socket.write(head, 'latin1')
      return
    }
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(body)
    socket.uncork()
  }

  /** All that was written so far is the kernel's. */
  get idle(): boolean {
    return this.#socket.writableLength === 0
  }

  /**
   * The next bytes. Until they are asked for, most of what is sent waits in the kernel. Rejects when the connection
   * is closed and all of them were read.
   */
  async read(): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      if (this.#unread) this.#give()
      else if (this.#socket.destroyed) this.#takeReader()?.reject(this.#whyClosed())
      else this.#socket.resume()
    })
  }

  /**
   * Between two answers: only its end is waited for.
   *
   * @param forMs at most
   */
  rest(forMs = Infinity): void {
    this.#resting = true
    if (this.#unread) this.destroy()
    const { keptMs } = this.#bounds
    const restMs = Math.min(keptMs === 0 ? Infinity : keptMs, forMs)
    this.#socket.setTimeout(restMs === Infinity ? 0 : restMs)
    this.#socket.resume()
  }

  destroy(reason?: Error): void {
    this.#socket.destroy(reason)
  }

  /** False stops reading; over TLS, the records that are here already come all the same. */
  #received(bytes: number): boolean {
    this.#filledUntil += bytes
    // Bytes that nobody asked for: what comes next would be taken for the wrong answer.
    if (this.#resting) this.destroy()
    if (this.#reader === undefined) return false
    const enough = this.#filledUntil - this.#readUntil >= PIECE_BYTES
    if (enough || this.#isFull) {
      this.#give()
      return false
    }
    this.#gathering ??= setImmediate(() => {
      this.#give()
    })
    return true
  }

  /** Where the next bytes go. */
  #room(): Buffer {
    if (this.#isFull) {
      if (this.#filledUntil > this.#readUntil) {
        this.#waiting.push(this.#block.subarray(this.#readUntil, this.#filledUntil))
      }
      this.#block = this.#nextBlock()
      this.#readUntil = this.#filledUntil = 0
    }
    return this.#block.subarray(this.#filledUntil)
  }

  get #isFull(): boolean {
    return this.#block.length - this.#filledUntil < LEAST_ROOM
  }

  get #unread(): boolean {
    return this.#waiting.length > 0 || this.#filledUntil > this.#readUntil
  }

  /** To the reader what has come, if there are both. */
  #give(): void {
    clearImmediate(this.#gathering)
    this.#gathering = undefined
    if (!this.#unread) return
    const reader = this.#takeReader()
    if (reader === undefined) return
    const first = this.#waiting.shift()
    const piece = first ?? this.#block.subarray(this.#readUntil, this.#filledUntil)
    if (first === undefined) this.#readUntil = this.#filledUntil
    reader.resolve(piece)
  }

  #takeReader(): Reader | undefined {
    const reader = this.#reader
    this.#reader = undefined
    return reader
  }

  #whyClosed(): Error {
    const error = this.#failure
    if (error !== undefined && error.code !== 'ECONNRESET' && error.code !== 'EPIPE') return error
    return new ConnectionClosedError('the registry closed the connection', { cause: error })
  }
}
