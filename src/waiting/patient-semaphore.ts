import { abortReason, onAbort } from './aborting.ts'

export interface Patience {
  /** After which one acts beside those before it. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

/** Lets some act at once and the others after them, as long as nobody has to wait too long for that. */
export class PatientSemaphore {
  readonly #atOnce: number
  #acting = 0
  readonly #waiting: (() => void)[] = []

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /**
   * The promise of the act. One that fails is no obstacle to the next.
   *
   * Rejects when the signal is aborted before its turn.
   */
  async take<T>({ patienceMs, signal }: Patience, act: () => Promise<T>): Promise<T> {
    if (this.#acting >= this.#atOnce) await this.#turn(patienceMs, signal)
    this.#acting += 1
    try {
      return await act()
    } finally {
      this.#acting -= 1
      if (this.#acting < this.#atOnce) this.#waiting.shift()?.()
    }
  }

  async #turn(patienceMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(patience)
        stopListening()
        const at = this.#waiting.indexOf(begin)
        if (at >= 0) this.#waiting.splice(at, 1)
        settle()
      }
      const begin = () => {
        end(resolve)
      }
      const patience = setTimeout(begin, patienceMs)
      this.#waiting.push(begin)
      const stopListening = onAbort(signal, () => {
        end(() => {
          reject(abortReason(signal))
        })
      })
    })
  }
}
