import { ChunkedBody } from './chunked-body.ts'
import { type Connection, ConnectionClosedError } from './connection.ts'
import type { ResponseHead } from './response-head.ts'

export interface AnswerParts {
  readonly head: ResponseHead
  /** What came with the head. */
  readonly first: Buffer
  readonly connection: Connection
  /** To be called once, when no more of it is wanted: whether the connection may carry another answer. */
  readonly end: (reusable: boolean) => void
}

/** An answer whose head is here. Its body is to be read or destroyed. */
export class Answer {
  readonly head: ResponseHead
  readonly #parts: AnswerParts
  #begun = false
  #ended = false
  /** The body is here to its end, and nothing else. */
  #whole = false

  constructor(parts: AnswerParts) {
    this.head = parts.head
    this.#parts = parts
  }

  /**
   * The body, to be read once: each piece is good for as long as the connection's memory is. Throws when it breaks
   * off, or is not what the head announced.
   */
  async *pieces(): AsyncGenerator<Buffer> {
    this.#begun = true
    try {
      yield* this.#framed()
    } finally {
      this.#end(this.head.reusable && this.#whole)
    }
  }

  /** All of the body, if it came with the head; then it was read. It is a copy, whoever has the memory. */
  whole(): Buffer | undefined {
    const { framing, reusable } = this.head
    const { first } = this.#parts
    if (this.#begun || framing.kind !== 'sized' || first.length !== framing.bytes) return undefined
    this.#begun = true
    const body = Buffer.from(first)
    this.#end(reusable)
    return body
  }

  /** Lets go of the rest of the body, at once. */
  destroy(): void {
    // After its end, the connection is somebody else's.
    if (this.#ended) return
    this.#parts.connection.destroy()
    if (!this.#begun) this.#end(false)
  }

  #end(reusable: boolean): void {
    this.#ended = true
    this.#parts.end(reusable)
  }

  #framed(): AsyncGenerator<Buffer> {
    const { framing } = this.head
    if (framing.kind === 'sized') return this.#sized(framing.bytes)
    return framing.kind === 'chunked' ? this.#chunked() : this.#untilClose()
  }

  async *#sized(bytes: number): AsyncGenerator<Buffer> {
    const { first, connection } = this.#parts
    let left = bytes
    for (let piece = first; ; piece = await connection.read()) {
      const wanted = piece.subarray(0, left)
      left -= piece.length
      // Less than none left: there was more than the head said. Whoever got the last byte need not ask for more.
      this.#whole = left === 0
      if (wanted.length > 0) yield wanted
      if (left <= 0) return
    }
  }

  async *#chunked(): AsyncGenerator<Buffer> {
    const { first, connection } = this.#parts
    const body = new ChunkedBody()
    for (let bytes = first; ; bytes = await connection.read()) {
      const { pieces, surplus } = body.read(bytes)
      this.#whole = body.complete && !surplus
      yield* gathered(pieces)
      if (body.complete) return
    }
  }

  async *#untilClose(): AsyncGenerator<Buffer> {
    const { first, connection } = this.#parts
    if (first.length > 0) yield first
    for (;;) {
      const piece = await connection.read().catch((error: unknown) => {
        if (error instanceof ConnectionClosedError && connection.ended) return undefined
        throw error
      })
      if (piece === undefined) return
      yield piece
    }
  }
}

/** In chunks of a few bytes each, a MiB would be a GiB to whoever keeps its pieces: each takes a hundred bytes beside its own. */
function gathered(pieces: readonly Buffer[]): readonly Buffer[] {
  return pieces.length > MAX_PIECES_OF_ONE_READ ? [Buffer.concat(pieces)] : pieces
}

/** Of chunks as servers send them there are fewer; these are handed on without being copied. */
const MAX_PIECES_OF_ONE_READ = 16
