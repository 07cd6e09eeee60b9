interface Waiting {
  readonly urgency: number
  readonly start: () => void
}

/**
 * Limits how many transfers of one upstream run at once in this process. The most urgent of those
 * that wait goes first, then the one that has waited longest. A slot is held for one transfer only,
 * never while waiting for another, so the walk over a graph cannot deadlock.
 */
export class TransferSlots {
  readonly #limit: () => number
  readonly #waiting: Waiting[] = []
  #taken = 0

  /** @param limit asked before each start, so that it can follow the number of workers */
  constructor(limit: () => number) {
    this.#limit = limit
  }

  /** @param urgency lower goes first */
  async run<T>(urgency: number, signal: AbortSignal, transfer: () => Promise<T>): Promise<T> {
    await this.#acquire(urgency, signal)
    try {
      return await transfer()
    } finally {
      this.#taken -= 1
      this.#startNext()
    }
  }

  async #acquire(urgency: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = promiseWithResolvers()
    const waiting = { urgency, start: resolve }
    const at = this.#waiting.findIndex((other) => other.urgency > urgency)
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, waiting)
    const giveUp = () => {
      const position = this.#waiting.indexOf(waiting)
      if (position === -1) return
      this.#waiting.splice(position, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#startNext()
    await promise.finally(() => {
      signal.removeEventListener('abort', giveUp)
    })
  }

  #startNext(): void {
    while (this.#taken < this.#limit()) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#taken += 1
      next.start()
    }
  }
}

function promiseWithResolvers() {
  let resolve: () => void = () => undefined
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<void>((accept, refuse) => {
    resolve = accept
    reject = refuse
  })
  return { promise, resolve, reject }
}
