import { Readable } from 'node:stream'

// One piece as sockets give them: more in a queue only lives longer, and costs the garbage collector.
const BUFFERED_BYTES = 64 * 1024

/**
 * A stream that passes on what others bring, one after the other. Bodies that pass on from each other hand every
 * piece over by a call, and only the last one, which somebody reads, is a stream with a queue: as streams, eight in
 * a row take longer for a piece than its bytes do.
 */
export abstract class PassThroughBody extends Readable {
  #from: Readable | undefined
  /** The body that passes on from this one, where each piece is handed over. */
  #to: PassThroughBody | undefined
  #wanted = false
  #endsOnceFree = false

  constructor() {
    super({ highWaterMark: BUFFERED_BYTES })
  }

  /** Passes on this one's bytes, and its end. Destroyed, this stream destroys it. */
  protected relay(from: Readable): void {
    this.#from = from
    if (this.destroyed) from.destroy()
    from.once('end', () => {
      if (this.holds()) this.#endsOnceFree = true
      else this.#end()
    })
    // Kept for good: axios emits a second error when a request is cut that had already failed.
    from.on('error', (error) => {
      this.broken(error)
    })
    from.once('close', () => {
      const isCut = !from.readableEnded && from.errored === null
      if (isCut && !this.destroyed) this.broken(new Error('the body was let go of'))
    })
    if (from instanceof PassThroughBody && from.#isUntouched) {
      from.#to = this
      if (this.#wanted) this.goOn()
      return
    }
    from.on('data', (piece: Buffer) => {
      if (!this.#take(piece)) from.pause()
    })
    if (!this.#wanted) from.pause()
  }

  /** Whether its reader waits for bytes. */
  protected get wanted(): boolean {
    return this.#wanted
  }

  /** Whether it takes nothing now, whatever its reader wants; `goOn` is to be called when that is over. */
  protected holds(): boolean {
    return false
  }

  /** What is to go on when a piece has come: mostly the same. */
  protected abstract pass(piece: Buffer): Buffer | undefined
  protected abstract broken(cause: Error): void

  /** What goes on when everything has come. May destroy the stream instead. */
  protected last(): Buffer | undefined {
    return undefined
  }

  /** Whether what has ended was not all: `relay` is to be called with what comes next. */
  protected goesOn(): boolean {
    return false
  }

  protected send(piece: Buffer): void {
    this.#wanted = this.#to === undefined ? this.push(piece) : this.#to.#take(piece)
  }

  protected goOn(): void {
    if (this.holds()) return
    if (this.#endsOnceFree) this.#end()
    else if (this.#wanted) this.#ask()
  }

  override _read(): void {
    this.#wanted = true
    this.goOn()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const from = this.#from
    if (from !== undefined && !from.readableEnded) from.destroy()
    done(error)
  }

  /** False when no more is to come for now. */
  #take(piece: Buffer): boolean {
    const passed = this.pass(piece)
    if (passed !== undefined) this.send(passed)
    return this.#wanted && !this.holds()
  }

  #ask(): void {
    const from = this.#from
    if (from instanceof PassThroughBody && from.#to === this) from._read()
    else from?.resume()
  }

  #end(): void {
    this.#endsOnceFree = false
    if (this.goesOn()) return
    const last = this.last()
    if (this.destroyed) return
    if (last !== undefined) this.send(last)
    this.push(null)
    // Nobody reads it, and it ends only when it is read.
    if (this.#to !== undefined) this.resume()
  }

  get #isUntouched(): boolean {
    return (
      this.#to === undefined &&
      this.readableFlowing === null &&
      this.readableLength === 0 &&
      !this.readableEnded &&
      !this.destroyed
    )
  }
}
