/** Before anything is known of the upstream. */
const UNKNOWN_MS = 1_000
const LEAST_MS = 500
const MOST_MS = 3_000
/** Many answers take longer than usual, few so many times as long. */
const TIMES = 5
/** Of the latest answer, in the average. */
const WEIGHT = 0.3

/** How long an upstream usually lets wait for the first byte of an answer, as it was of late. */
export class UsualWait {
  #ms: number | undefined

  /** Whoever has waited so long without a byte does not keep others waiting, in milliseconds. */
  get silentAfterMs(): number {
    if (this.#ms === undefined) return UNKNOWN_MS
    return Math.min(Math.max(this.#ms * TIMES, LEAST_MS), MOST_MS)
  }

  note(ms: number): void {
    this.#ms = this.#ms === undefined ? ms : this.#ms + (ms - this.#ms) * WEIGHT
  }
}
