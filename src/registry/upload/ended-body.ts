import type { Readable } from 'node:stream'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'

/**
 * Ends where another stream breaks. A request that is sent in HTTP chunks and ends early has been answered well,
 * and its upload can be cancelled or continued; of one that is cut, distribution 2.8 keeps the bytes for good.
 */
export class EndedBody extends PassThroughBody {
  #failure: Error | undefined

  constructor(body: Readable) {
    super()
    this.relay(body)
    if (body.destroyed) this.broken(body.errored ?? new Error('the body was let go of'))
  }

  /** Why there is not more of it. */
  get failure(): Error | undefined {
    return this.#failure
  }

  protected override pass(piece: Buffer): Buffer {
    return piece
  }

  protected override broken(cause: Error): void {
    if (this.#failure !== undefined || this.readableEnded) return
    this.#failure = cause
    this.push(null)
  }
}
