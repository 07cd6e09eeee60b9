/** Lets some act at once and the others after them, as long as nobody has to wait too long for that. */
export class Turns {
  readonly #atOnce: number
  #acting = 0
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /**
   * The promise of the act. One that fails is no obstacle to the next.
   *
   * @param patienceMs after which it acts beside those before it
   */
  async take<T>(patienceMs: number, act: () => Promise<T>): Promise<T> {
    if (this.#acting >= this.#atOnce) await this.#turn(patienceMs)
    this.#acting += 1
    try {
      return await act()
    } finally {
      this.#acting -= 1
      if (this.#acting < this.#atOnce) this.#waiting.shift()?.()
    }
  }

  async #turn(patienceMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1)
        resolve()
      }, patienceMs)
      const begin = () => {
        clearTimeout(patience)
        resolve()
      }
      this.#waiting.push(begin)
    })
  }
}
