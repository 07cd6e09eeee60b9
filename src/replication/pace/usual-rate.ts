/** Less says how long an answer takes, not how fast bytes come. */
const TELLS_FROM_BYTES = 64 * 1024
/** Of the latest transfer, in the average. */
const WEIGHT = 0.3

/** How fast one transfer of an upstream usually comes, as it was of late. */
export class UsualRate {
  #bytesPerSecond: number | undefined

  /** 0 while it is not known. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond ?? 0
  }

  /** A transfer of so many bytes has ended well. */
  note(bytes: number, ms: number): void {
    if (bytes < TELLS_FROM_BYTES || ms <= 0) return
    const rate = (bytes / ms) * 1_000
    const before = this.#bytesPerSecond ?? rate
    this.#bytesPerSecond = before + (rate - before) * WEIGHT
  }
}
