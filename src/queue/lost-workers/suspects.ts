/** What has lost its worker so often may be what kills them. */
const SUSPECT_FROM = 3

/**
 * Of the jobs that may be what kills their worker, a process runs one at a time: when it dies, that counts against none of the
 * others that are as far, and so against none so often that it fails for what another one does.
 */
export class Suspects {
  #running = false

  /** @returns the right to run, to be disposed afterwards; undefined while another such job runs */
  admit(lostWorkers: number): Disposable | undefined {
    const isSuspect = lostWorkers >= SUSPECT_FROM
    if (isSuspect && this.#running) return undefined
    this.#running ||= isSuspect
    return {
      [Symbol.dispose]: () => {
        if (isSuspect) this.#running = false
      },
    }
  }
}
