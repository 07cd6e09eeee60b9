import type { Readable } from 'node:stream'
import { PassThroughBody } from '../waiting/pass-through-body.ts'
import type { SpooledBlob } from './spooled-blob.ts'

/**
 * Takes a body into the spool as fast as the disk takes it, piece by piece by a call, without a queue. What the spool
 * does not take is there to be read.
 */
export class IntoSpool extends PassThroughBody {
  /** Resolves when nothing more goes into the spool, with whether all of it is there; rejects as the body does. */
  readonly filled: Promise<boolean>
  readonly #spooled: SpooledBlob
  #left: number
  #isOver = false
  #settle: (filled: Promise<boolean>) => void = () => undefined
  #drained: Promise<void> | undefined

  /** @param size how many bytes the body should have; little more is read unless somebody wants it */
  constructor(body: Readable, spooled: SpooledBlob, size: number) {
    super()
    this.#spooled = spooled
    this.#left = size
    this.filled = new Promise((resolve) => (this.#settle = resolve))
    // It is for whoever waits for it, and nobody may.
    this.filled.catch(() => undefined)
    this.on('error', () => undefined)
    this.relay(body)
    // Begins, although nobody reads it.
    this.read(0)
  }

  protected override holds(): boolean {
    return !this.#isOver && this.#spooled.full
  }

  protected override pass(piece: Buffer): Buffer | undefined {
    if (!this.#isOver && this.#spooled.append(piece)) {
      this.#left -= piece.length
      // An endless body: whoever verifies it has seen enough.
      if (this.#left < 0) this.#over()
      else if (this.#spooled.full) this.#waitForDisk()
      return undefined
    }
    this.#over()
    return piece
  }

  protected override last(): undefined {
    this.#over()
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#over(error ?? new Error('the body was let go of'))
    super._destroy(error, done)
  }

  #over(failure?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#settle(this.#end(failure))
  }

  async #end(failure?: Error): Promise<boolean> {
    await this.#spooled.end(failure === undefined && this.#left <= 0)
    if (failure !== undefined) throw failure
    return this.#spooled.arrived
  }

  #waitForDisk(): void {
    this.#drained ??= this.#spooled.drained().then(() => {
      this.#drained = undefined
      this.goOn()
    })
  }
}
