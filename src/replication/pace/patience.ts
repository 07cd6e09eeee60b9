import { type Clock, REAL_CLOCK } from './transfer-rate.ts'

/** How far somebody is with bringing a blob. */
export interface TransferState {
  /** Unlike every other transfer. */
  readonly holder: string
  /** The upstream that it comes from. */
  readonly origin: string
  /** That have come so far. */
  readonly bytes: number
}

/** Time enough for a registry to begin, and to see how fast bytes come. */
const LOOKS_FOR_MS = 10_000
/** Of what the waiting one's own upstream gives: less is not worth waiting for. */
const WORTH = 1 / 8
/** What that is taken to give while nobody has seen it give anything, in bytes per second. */
const UNKNOWN = 1024 * 1024

/** What one would bring it from oneself. */
export interface OwnUpstream {
  readonly origin: string
  /** What it gives, in bytes per second; 0 while that is not known. */
  readonly usual: () => number
}

/**
 * How long one waits for a blob that somebody else brings: as long as it comes, and not eight times
 * slower than from one's own upstream. A slow or hostile upstream delays nobody's images but its own.
 */
export class Patience {
  readonly #size: number
  readonly #own: OwnUpstream
  readonly #clock: Clock
  readonly #givenUp = new Set<string>()
  #from: (TransferState & { readonly at: number }) | undefined

  /** @param size of the blob, in bytes */
  constructor(size: number, own: OwnUpstream, clock: Clock = REAL_CLOCK) {
    this.#size = size
    this.#own = own
    this.#clock = clock
  }

  isOver({ holder }: TransferState): boolean {
    return this.#givenUp.has(holder)
  }

  /** To be asked again and again; false once it is not worth waiting for that transfer. */
  lastsFor(state: TransferState): boolean {
    if (this.isOver(state)) return false
    const { holder, origin, bytes } = state
    const now = this.#clock.now()
    const from = this.#from
    // What has come in full is being stored, which is not its upstream's doing.
    if (from?.holder !== holder || bytes < from.bytes || bytes >= this.#size) {
      this.#from = { holder, origin, bytes, at: now }
      return true
    }
    if (now - from.at < LOOKS_FOR_MS) return true
    const perSecond = ((bytes - from.bytes) / (now - from.at)) * 1_000
    this.#from = { holder, origin, bytes, at: now }
    if (perSecond > 0 && perSecond >= this.#usualBeside(origin) * WORTH) return true
    this.#givenUp.add(holder)
    return false
  }

  /** One that has given nothing yet may be as slow as it shows itself to others, but not as other upstreams are. */
  #usualBeside(origin: string): number {
    const usual = this.#own.usual()
    return usual > 0 || origin === this.#own.origin ? usual : UNKNOWN
  }
}
