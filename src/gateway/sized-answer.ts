import type { ServerResponse } from 'node:http'
import type { BlobAnswer } from './blob-answer.ts'
import type { BlobConnection } from './blob-connection.ts'
import { endToEnd } from './forwarded-headers.ts'
import { keepAnswer, type OriginalAnswer } from './original-answer.ts'
import type { SizedHead } from './response-head.ts'
import { sendPieces } from '../http/send-pieces.ts'

export interface SizedParts {
  readonly head: SizedHead
  /** What came with the head. */
  readonly first: Buffer
  readonly connection: BlobConnection
  /** To be called once, when no more of it is wanted: whether the connection may carry another answer. */
  readonly end: (reusable: boolean) => void
}

/** An answer of known length that is read from its connection as fast as it is wanted. */
export class SizedAnswer implements BlobAnswer {
  readonly #parts: SizedParts

  constructor(parts: SizedParts) {
    this.#parts = parts
  }

  get status(): number {
    return this.#parts.head.status
  }

  async relay(response: ServerResponse): Promise<void> {
    const { status, statusMessage, rawHeaders, bodyBytes } = this.#parts.head
    response.sendDate = false
    response.writeHead(status, statusMessage, endToEnd(rawHeaders))
    await sendPieces(this.pieces(), response, bodyBytes)
  }

  async keep(): Promise<OriginalAnswer> {
    const { status: statusCode, rawHeaders } = this.#parts.head
    const copies = () => this.#copies()
    return await keepAnswer({ statusCode, rawHeaders, [Symbol.asyncIterator]: copies })
  }

  /** Each is good until the next one is asked for. */
  async *pieces(): AsyncGenerator<Buffer> {
    const { head, first, connection, end } = this.#parts
    let left = head.bodyBytes
    try {
      for (let piece = first; ; piece = await connection.read()) {
        const wanted = piece.subarray(0, left)
        left -= piece.length
        if (wanted.length > 0) yield wanted
        if (left <= 0) break
      }
    } finally {
      // Less than none left: there was more than the head said.
      end(head.reusable && left === 0)
    }
  }

  async *#copies(): AsyncGenerator<Buffer> {
    for await (const piece of this.pieces()) yield Buffer.from(piece)
  }
}
