import type { Clock } from '../../../src/replication/pace/transfer-rate.ts'

/** A clock that goes only when it is told to. */
export class ManualClock implements Clock {
  readonly #due = new Map<object, { readonly at: number; readonly call: () => void }>()
  #now = 0

  now(): number {
    return this.#now
  }

  after(ms: number, call: () => void): () => void {
    const key = {}
    this.#due.set(key, { at: this.#now + ms, call })
    return () => {
      this.#due.delete(key)
    }
  }

  /** How many calls are waited for. */
  get waiting(): number {
    return this.#due.size
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const [next] = [...this.#due].sort(([, a], [, b]) => a.at - b.at)
      if (next === undefined || next[1].at > until) break
      this.#due.delete(next[0])
      this.#now = next[1].at
      next[1].call()
    }
    this.#now = until
  }
}
