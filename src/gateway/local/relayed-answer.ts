import type { ServerResponse } from 'node:http'
import type { Answer } from '../../http-client/answer.ts'
import { sendPieces } from '../../http/send-pieces.ts'
import type { BlobAnswer } from './blob-answer.ts'
import { answerHead } from '../framing/answer-head.ts'
import { keepAnswer, type OriginalAnswer } from './original-answer.ts'

/** An answer of known length that is read from its connection as fast as it is wanted. */
export class RelayedAnswer implements BlobAnswer {
  readonly #answer: Answer
  readonly #bytes: number

  /** @param bytes of its body */
  constructor(answer: Answer, bytes: number) {
    this.#answer = answer
    this.#bytes = bytes
  }

  get status(): number {
    return this.#answer.head.status
  }

  async relay(response: ServerResponse): Promise<void> {
    const { status, statusMessage, rawHeaders } = this.#answer.head
    response.sendDate = false
    response.writeHead(status, statusMessage, [...answerHead({ status, rawHeaders }).headers])
    await sendPieces(this.pieces(), response, this.#bytes)
  }

  async keep(): Promise<OriginalAnswer> {
    const { status: statusCode, rawHeaders } = this.#answer.head
    const copies = () => this.#copies()
    return await keepAnswer({ statusCode, rawHeaders, [Symbol.asyncIterator]: copies })
  }

  /** Each is good until the next one is asked for. */
  pieces(): AsyncGenerator<Buffer> {
    return this.#answer.pieces()
  }

  async *#copies(): AsyncGenerator<Buffer> {
    for await (const piece of this.pieces()) yield Buffer.from(piece)
  }
}
