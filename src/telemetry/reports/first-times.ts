/** What is told anew after so long, unless told otherwise, for whoever looks only now. */
const REMEMBERED_MS = 3_600_000
/** More in that time are not told: names that somebody makes up must not fill a log. */
const MAX_REMEMBERED = 1_000

/** Tells what is worth a line of its own from what only repeats it. */
export class FirstTimes {
  /** When each was told, the oldest first. */
  readonly #toldAt = new Map<string, number>()
  readonly #rememberedMs: number

  constructor(rememberedMs = REMEMBERED_MS) {
    this.#rememberedMs = rememberedMs
  }

  isFirst(what: string, now = performance.now()): boolean {
    for (const [oldest, at] of this.#toldAt) {
      if (now - at < this.#rememberedMs) break
      this.#toldAt.delete(oldest)
    }
    if (this.#toldAt.has(what) || this.#toldAt.size >= MAX_REMEMBERED) return false
    this.#toldAt.set(what, now)
    return true
  }
}
