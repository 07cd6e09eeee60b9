export interface SlowStartOptions {
  /** How many may ask at once while it is not known whether anything answers. */
  readonly atOnce: () => number
  /** Whoever has waited for so long asks all the same: what hangs keeps nobody waiting. In milliseconds. */
  readonly patienceMs: number
  /** An answer says for so long that others will be answered. */
  readonly trustMs: number
}

/**
 * Few ask first, and the others as soon as one of them is answered. Whoever waits has time to learn that nobody is to
 * ask at all.
 */
export class SlowStart {
  readonly #options: SlowStartOptions
  readonly #waiting = new Set<() => void>()
  #asking = 0
  #trustedUntil = -Infinity

  constructor(options: SlowStartOptions) {
    this.#options = options
  }

  async ask<T>(question: () => Promise<T>): Promise<T> {
    await this.#turn()
    try {
      const answer = await question()
      this.#trustedUntil = performance.now() + this.#options.trustMs
      return answer
    } finally {
      this.#asking -= 1
      this.#letGo()
    }
  }

  get #isFree(): boolean {
    return this.#asking < this.#options.atOnce() || performance.now() < this.#trustedUntil
  }

  async #turn(): Promise<void> {
    if (this.#isFree) {
      this.#asking += 1
      return
    }
    await new Promise<void>((resolve) => {
      const go = (): void => {
        clearTimeout(patience)
        this.#waiting.delete(go)
        this.#asking += 1
        resolve()
      }
      const patience = setTimeout(go, this.#options.patienceMs)
      this.#waiting.add(go)
    })
  }

  #letGo(): void {
    for (const go of this.#waiting) {
      if (!this.#isFree) return
      go()
    }
  }
}
