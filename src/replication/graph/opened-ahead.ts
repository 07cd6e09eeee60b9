import type { Readable } from 'node:stream'
import { abortReason, onAbort } from '../../waiting/aborting.ts'
import type { OpenBlob } from '../ports.ts'

/** A blob that is opened before the target has said whether it wants it, and given up where it does not. */
export class OpenedAhead implements Disposable {
  readonly #cut = new AbortController()
  readonly #body: Promise<Readable>
  #stopListening: () => void
  #isTaken = false

  constructor(open: OpenBlob, signal: AbortSignal) {
    this.#stopListening = this.#endsWith(signal)
    this.#body = open(0, this.#cut.signal)
    // Nobody listens to it yet: whoever takes it is told.
    this.#body.then(
      (body) => body.on('error', () => undefined),
      () => undefined,
    )
  }

  /** Once; from then on it is the taker's, and lives until that signal. */
  take(signal: AbortSignal): Promise<Readable> | undefined {
    if (this.#isTaken) return undefined
    this.#isTaken = true
    this.#stopListening()
    this.#stopListening = this.#endsWith(signal)
    return this.#unbroken()
  }

  [Symbol.dispose](): void {
    this.#stopListening()
    if (this.#isTaken) return
    this.#isTaken = true
    this.#cut.abort()
    this.#body.then(
      (body) => body.destroy(),
      () => undefined,
    )
  }

  async #unbroken(): Promise<Readable> {
    const body = await this.#body
    if (body.errored !== null) throw body.errored
    return body
  }

  #endsWith(signal: AbortSignal): () => void {
    return onAbort(signal, () => {
      this.#cut.abort(abortReason(signal))
    })
  }
}
