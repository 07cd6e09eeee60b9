import { abortReason, onAbort } from '../../waiting/aborting.ts'

/** What is on its way may be finished: as long as that usually takes, and some more. */
const LINGER_MS = 1_200

/** A signal that follows another one at once, but not in the middle of what is better finished. */
export class GracefulAbort implements Disposable {
  readonly #cut = new AbortController()
  readonly #of: AbortSignal
  readonly #stopListening: () => void
  #unfinished = 0
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal) {
    this.#of = signal
    this.#stopListening = onAbort(signal, () => {
      if (this.#unfinished === 0) this.#abort()
      else
        this.#timer = setTimeout(() => {
          this.#abort()
        }, LINGER_MS)
    })
  }

  get signal(): AbortSignal {
    return this.#cut.signal
  }

  async during<T>(act: () => Promise<T>): Promise<T> {
    this.#unfinished += 1
    try {
      return await act()
    } finally {
      this.#unfinished -= 1
      if (this.#of.aborted) this.#abort()
    }
  }

  [Symbol.dispose](): void {
    this.#stopListening()
    clearTimeout(this.#timer)
  }

  #abort(): void {
    clearTimeout(this.#timer)
    this.#cut.abort(abortReason(this.#of))
  }
}
