import type { Readable } from 'node:stream'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'
import type { Pace } from './transfer-rate.ts'

/**
 * The same bytes, counted as they pass, and not faster than the pace allows: a body that waits is not
 * read. A failure of `body` is a failure of what is returned.
 */
export class MeteredBody extends PassThroughBody {
  readonly #pace: Pace
  readonly #onBytes: (count: number) => void
  #giveUp = (): void => undefined
  /** It has a piece, whose time has not come. */
  #waits = false

  constructor(body: Readable, pace: Pace, onBytes: (count: number) => void) {
    super()
    this.#pace = pace
    this.#onBytes = onBytes
    this.relay(body)
  }

  /** Whether nothing but the sender's next byte keeps it waiting. */
  get waitsForSender(): boolean {
    return this.wanted && !this.#waits && !this.readableEnded && !this.closed
  }

  protected override holds(): boolean {
    return this.#waits
  }

  protected override pass(piece: Buffer): Buffer | undefined {
    let isLate = false
    this.#waits = true
    this.#giveUp = this.#pace.pass(piece.length, () => {
      this.#waits = false
      this.#onBytes(piece.length)
      if (!isLate) return
      this.send(piece)
      this.goOn()
    })
    isLate = true
    return this.holds() ? undefined : piece
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#giveUp()
    super._destroy(error, done)
  }
}
