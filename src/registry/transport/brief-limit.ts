import type { Exchange, TransportOptions } from './exchange.ts'
import type { BodyLimits } from './stall.ts'

/** Of the longest that such answers have taken of late: less is no stall. */
const TIMES = 4

/**
 * How long a registry may be silent when it is asked for something brief, in milliseconds. That is much less
 * than what a large blob may take, unless its answers take long: it grows with them, and with each stall
 * until something is answered, up to the limit of all else.
 */
class BriefLimit {
  readonly #least: number
  readonly #most: number
  #ms: number

  constructor(leastMs: number, mostMs: number) {
    this.#least = Math.min(leastMs, mostMs)
    this.#most = mostMs
    this.#ms = this.#least
  }

  get ms(): number {
    return this.#ms
  }

  answered(afterMs: number): void {
    this.#set(Math.max(afterMs * TIMES, this.#ms / 2))
  }

  stalled(): void {
    this.#set(this.#ms * 2)
  }

  #set(ms: number): void {
    this.#ms = Math.min(Math.max(ms, this.#least), this.#most)
  }
}

/** Of the least limit of silence, for all of a brief answer's headers, and as much for its body. */
const TOTAL_TIMES = 10

/** How long an answer may take, and who learns from it. */
export interface AnswerLimits extends BodyLimits {
  /** Its headers came. */
  readonly answered: (afterMs: number) => void
  readonly stalled: () => void
}

export function answerLimits({
  stallTimeoutMs,
  briefStallMs,
}: TransportOptions): (exchange: Exchange) => AnswerLimits {
  const limit = new BriefLimit(briefStallMs, stallTimeoutMs)
  return ({ brief = false }) =>
    brief
      ? {
          stallMs: limit.ms,
          totalMs: briefStallMs * TOTAL_TIMES,
          answered: (afterMs) => {
            limit.answered(afterMs)
          },
          stalled: () => {
            limit.stalled()
          },
        }
      : { stallMs: stallTimeoutMs, answered: () => undefined, stalled: () => undefined }
}
