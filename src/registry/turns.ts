import { setTimeout as pause } from 'node:timers/promises'

/** Lets one act after the other, as long as nobody has to wait too long for that. */
export class Turns {
  readonly #patienceMs: number
  #last: Promise<unknown> = Promise.resolve()

  /** @param patienceMs after which one acts beside those before it */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** The promise of the act. One that fails is no obstacle to the next. */
  async take<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#last
    const acting = this.#afterwards(before, act)
    this.#last = Promise.allSettled([before, acting])
    return await acting
  }

  async #afterwards<T>(before: Promise<unknown>, act: () => Promise<T>): Promise<T> {
    const enough = new AbortController()
    const patience = pause(this.#patienceMs, undefined, { signal: enough.signal })
    await Promise.race([before, patience.catch(() => undefined)])
    enough.abort()
    return await act()
  }
}
