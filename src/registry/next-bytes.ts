import { Readable } from 'node:stream'

// One piece as sockets give them.
const BUFFERED_BYTES = 64 * 1024

/**
 * So many of a stream's next bytes as a stream of their own; the stream they are of stays open behind
 * them. Fails with the error of that stream, or when it ends too early.
 */
export class NextBytes extends Readable {
  readonly #body: Readable
  readonly #passing: (piece: Buffer) => void
  #left: number

  /** @param first those that were read already */
  constructor(first: Buffer, body: Readable, length: number, passing: (piece: Buffer) => void) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#body = body
    this.#passing = passing
    this.#left = length - first.length
    // Whoever sent it may have let go of it by then.
    this.on('error', () => undefined)
    this.push(first)
    body.on('data', this.#take).once('end', this.#ended).once('error', this.#broke)
    body.once('close', this.#ended).pause()
  }

  override _read(): void {
    if (this.#body.destroyed) this.#ended()
    else this.#body.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#letGo()
    done(error)
  }

  readonly #take = (piece: Buffer): void => {
    const taken = piece.subarray(0, this.#left)
    this.#left -= taken.length
    this.#passing(taken)
    if (!this.push(taken)) this.#body.pause()
    if (this.#left > 0) return
    this.#letGo()
    if (taken.length < piece.length) this.#body.unshift(piece.subarray(taken.length))
    this.push(null)
  }

  readonly #ended = (): void => {
    this.destroy(this.#body.errored ?? new EarlyEndError(this.#left))
  }

  readonly #broke = (error: Error): void => {
    this.destroy(error)
  }

  #letGo(): void {
    const body = this.#body
    body.off('data', this.#take).off('end', this.#ended).off('error', this.#broke)
    body.off('close', this.#ended).pause()
  }
}

/** The stream had less than it was said to have. */
export class EarlyEndError extends Error {
  override readonly name = 'EarlyEndError'
  /** In bytes. */
  readonly missing: number

  constructor(missing: number) {
    super(`the stream ended ${missing} bytes too early`)
    this.missing = missing
  }
}
