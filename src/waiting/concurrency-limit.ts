/**
 * So many pieces of work at once, over all that share it. What is to be done is drawn piece by piece as
 * turns come free, so that a list of any length takes no more memory than what is under way.
 */
export class ConcurrencyLimit {
  readonly #atOnce: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /**
   * Resolves when all of it is done. After a failure nothing more of this list begins; once what is under
   * way has ended, too, it rejects with the first.
   */
  async each<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
    const underWay = new Set<Promise<void>>()
    const failures: unknown[] = []
    for (const item of items) {
      await this.#turn()
      if (failures.length > 0) {
        this.#end()
        break
      }
      const running = work(item)
        .catch((error: unknown) => {
          failures.push(error)
        })
        .finally(() => {
          this.#end()
          underWay.delete(running)
        })
      underWay.add(running)
    }
    await Promise.all(underWay)
    if (failures.length > 0) throw failures[0]
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#atOnce) {
      // Whoever ends hands its turn on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else {
      this.#running += 1
    }
  }

  #end(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running -= 1
    else next()
  }
}
