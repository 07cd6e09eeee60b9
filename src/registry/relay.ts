import { Readable } from 'node:stream'

// One piece as sockets give them: more in a queue only lives longer, and costs the garbage collector.
const BUFFERED_BYTES = 64 * 1024

/**
 * A stream that passes on what others bring, one after the other, with next to nothing in between:
 * half of what a Transform is.
 */
export abstract class Relay extends Readable {
  #from: Readable | undefined
  #wanted = false

  constructor() {
    super({ highWaterMark: BUFFERED_BYTES })
  }

  /** Passes on this one's bytes, and its end. Destroyed, this stream destroys it. */
  protected relay(from: Readable): void {
    this.#from = from
    if (this.destroyed) from.destroy()
    from.on('data', (piece: Buffer) => {
      this.passing(piece)
      this.#wanted = this.push(piece)
      if (!this.#wanted) from.pause()
    })
    from.once('end', () => {
      this.push(null)
    })
    // Kept for good: axios emits a second error when a request is cut that had already failed.
    from.on('error', (error) => {
      this.broken(error)
    })
    if (!this.#wanted) from.pause()
  }

  /** Whether its reader waits for bytes. */
  protected get wanted(): boolean {
    return this.#wanted
  }

  /** Before each piece. */
  protected abstract passing(piece: Buffer): void
  protected abstract broken(cause: Error): void

  override _read(): void {
    this.#wanted = true
    this.#from?.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const from = this.#from
    if (from !== undefined && !from.readableEnded) from.destroy()
    done(error)
  }
}
