import { Readable } from 'node:stream'
import type { Answer } from './answer.ts'

// One piece as connections give them.
const BUFFERED_BYTES = 128 * 1024

/** An answer's body as a stream. The connection's memory must be the reader's to keep. */
export class AnswerBody extends Readable {
  readonly #answer: Answer
  readonly #pieces: AsyncGenerator<Buffer>

  constructor(answer: Answer) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#answer = answer
    this.#pieces = answer.pieces()
  }

  override _read(): void {
    this.#pieces.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(error as Error),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded) this.#answer.destroy()
    done(error)
  }
}
