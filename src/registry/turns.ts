/** Lets some act at once and the others after them, as long as nobody has to wait too long for that. */
export class Turns {
  readonly #atOnce: number
  readonly #patienceMs: number
  #acting = 0
  readonly #waiting: (() => void)[] = []

  /** @param patienceMs after which one acts beside those before it */
  constructor(atOnce: number, patienceMs: number) {
    this.#atOnce = atOnce
    this.#patienceMs = patienceMs
  }

  /** The promise of the act. One that fails is no obstacle to the next. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    if (this.#acting >= this.#atOnce) await this.#turn()
    this.#acting += 1
    try {
      return await act()
    } finally {
      this.#acting -= 1
      if (this.#acting < this.#atOnce) this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1)
        resolve()
      }, this.#patienceMs)
      const begin = () => {
        clearTimeout(patience)
        resolve()
      }
      this.#waiting.push(begin)
    })
  }
}
