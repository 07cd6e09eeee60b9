import type { Readable } from 'node:stream'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'
import { isBroken, isHeld } from './continued-blob.ts'
import type { BlobPart, ByteRange, ExtraSlot, OpenPart } from './byte-range.ts'
import { SideBySide } from './side-by-side.ts'

export interface RangeLimits {
  /** A blob of which less is to come is fetched in one piece. */
  readonly fromBytes: number
  /** By so many it is known how fast one connection is. */
  readonly firstBytes: number
  /** After so many over one connection it is looked again whether there is a slot for more. */
  readonly againBytes: number
  /** Of one request beside others. */
  readonly partBytes: number
  /** In bytes per second: what is faster is no slow connection. */
  readonly slowBelow: number
  /** Several connections that bring less than so many times what one did are a burden, and no help. */
  readonly helpsFrom: number
}

const MIB = 1024 * 1024

/** See decision 27. */
export const RANGES: RangeLimits = {
  fromBytes: 256 * MIB,
  firstBytes: 16 * MIB,
  againBytes: 128 * MIB,
  partBytes: 8 * MIB,
  slowBelow: 64 * MIB,
  helpsFrom: 1.3,
}

/** Before it is judged whether several connections help. */
const JUDGED_AFTER_PARTS = 6

export interface RangedOptions {
  /** That is wanted. */
  readonly range: ByteRange
  /** Of the whole blob from there on, as far as it was asked for. */
  readonly first: BlobPart
  readonly open: OpenPart
  /** All from there on over one connection, continued where that breaks, until it is cut. */
  readonly openRest: (offset: number, cut: AbortSignal) => Promise<Readable>
  readonly extra: ExtraSlot
  readonly limits: RangeLimits
}

/**
 * A large blob from a server that limits each connection: once one is seen to be slow, parts of it come over up to
 * four at a time, and are passed on in their order. Whatever is not as it should be with parts, the rest comes over one
 * connection. Nothing is asked for twice, but for parts that came after one that did not.
 */
export class RangedBlob extends PassThroughBody {
  readonly #options: RangedOptions
  readonly #cut = new AbortController()
  #at: number
  /** Over one connection, in bytes per millisecond. */
  #rate = 0
  #beside: SideBySide | undefined
  /** What comes now is all the rest. */
  #isLast: boolean
  #from: number
  /** Before that, what comes now does not end by itself. */
  #until: number
  #wantedMs = 0
  #wantedSince = performance.now()

  constructor(options: RangedOptions) {
    super()
    this.#options = options
    this.#at = this.#from = options.range.from
    this.#until = this.#from + options.limits.firstBytes
    this.#isLast = !options.first.isPart
    this.relay(options.first.body)
  }

  protected override pass(piece: Buffer): Buffer {
    this.#at += piece.length
    const now = performance.now()
    if (this.wanted) this.#wantedMs += now - this.#wantedSince
    this.#wantedSince = now
    return piece
  }

  override _read(): void {
    if (!this.wanted) this.#wantedSince = performance.now()
    super._read()
  }

  protected override goesOn(): boolean {
    if (this.#isLast || this.#at >= this.#options.range.until) return false
    const held = this.#beside?.held
    if (held !== undefined) {
      // The job's: then the whole pool keeps away, and not this layer alone.
      this.destroy(held)
      return true
    }
    // Else whoever sends a byte for each request is asked for ever.
    const isShort = this.#at < this.#until
    this.#relayNext(!isShort && this.#isWorthIt() ? this.#partsOrRest() : this.#rest())
    return true
  }

  protected override broken(cause: Error): void {
    if (this.#isLast || !isBroken(cause) || isHeld(cause)) this.destroy(cause)
    else this.#relayNext(this.#rest())
  }

  #relayNext(opening: Promise<Readable>): void {
    this.#from = this.#at
    this.#wantedMs = 0
    opening.then(
      (body) => {
        this.relay(body)
      },
      (error: unknown) => this.destroy(error as Error),
    )
  }

  /** What is the matter with a part is told by what is answered to the request for all the rest. */
  async #partsOrRest(): Promise<Readable> {
    try {
      return await this.#nextParts()
    } catch (error) {
      // Then nobody wants the rest, or nobody is to ask for it now.
      if (this.destroyed || isHeld(error)) throw error
      return await this.#rest()
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#cut.abort()
    super._destroy(error, done)
  }

  /** Judged by what has just come to its end. */
  #isWorthIt(): boolean {
    if (this.#beside !== undefined) return !this.#beside.failed && this.#helps()
    this.#rate = (this.#at - this.#from) / this.#wantedMs
    return this.#rate < this.#options.limits.slowBelow / 1_000
  }

  /** Several connections, as far as is known yet. */
  #helps(): boolean {
    const { partBytes, helpsFrom } = this.#options.limits
    const bytes = this.#at - this.#from
    const isKnown = bytes >= JUDGED_AFTER_PARTS * partBytes
    return !isKnown || bytes / this.#wantedMs > helpsFrom * this.#rate
  }

  /** Side by side, for as long as there are slots; over one connection for a while when there are none. */
  async #nextParts(): Promise<Readable> {
    const { range, limits, extra, open } = this.#options
    const spare = extra()
    spare?.()
    const next = { from: this.#at, until: range.until }
    const { signal } = this.#cut
    if (spare !== undefined) {
      const { partBytes } = limits
      const helps = () => this.#helps()
      // They end early where they are no help.
      this.#until = this.#at
      this.#beside = new SideBySide({ range: next, partBytes, open, extra, helps }, signal)
      return this.#beside.body()
    }
    this.#beside = undefined
    const until = (this.#until = Math.min(this.#at + limits.againBytes, range.until))
    const { body, isPart } = await open({ ...next, until }, signal)
    this.#isLast = !isPart
    return body
  }

  async #rest(): Promise<Readable> {
    this.#isLast = true
    return await this.#options.openRest(this.#at, this.#cut.signal)
  }
}
