/** Lets bytes go on when their time has come. */
export interface Pace {
  /** Calls back once the bytes may pass, at once if they may now. Returns how to give up waiting. */
  pass(bytes: number, go: () => void): () => void
}

export interface Clock {
  /** Milliseconds from anywhere, never going back. */
  now(): number
  /** Returns how to call it off. */
  after(ms: number, call: () => void): () => void
}

export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => {
      clearTimeout(timer)
    }
  },
}

/** What may pass at once after a pause, in seconds of the limit. */
const BURST_SECONDS = 0.1
/** A limit that has changed is heeded within this time. */
const LOOK_AGAIN_MS = 500

interface Waiting {
  readonly bytes: number
  readonly go: () => void
}

/**
 * A token bucket for all transfers of one upstream in this process. Whoever finds it filled may pass
 * with any number of bytes, and those who come next wait until they are paid for, first come, first
 * served; so over any time no more passes than the limit, a burst, and one piece of a body.
 */
export class TransferRate implements Pace {
  readonly #bytesPerSecond: () => number | undefined
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()
  #callOff: (() => void) | undefined
  #tokens = 0
  #filledAt: number

  /** @param bytesPerSecond asked again and again, so that it can change; undefined is no limit */
  constructor(bytesPerSecond: () => number | undefined, clock: Clock = REAL_CLOCK) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
    this.#filledAt = clock.now()
  }

  pass(bytes: number, go: () => void): () => void {
    if (this.#waiting.size === 0 && this.#bytesPerSecond() === undefined) {
      go()
      return () => undefined
    }
    const waiting = { bytes, go }
    this.#waiting.add(waiting)
    this.#letPass()
    return () => {
      this.#waiting.delete(waiting)
      if (this.#waiting.size === 0) this.#sleep(undefined)
    }
  }

  #letPass(): void {
    const rate = this.#bytesPerSecond()
    this.#fill(rate)
    for (const waiting of this.#waiting) {
      if (rate !== undefined && this.#tokens < 0) {
        this.#sleep(Math.min((-this.#tokens / rate) * 1_000, LOOK_AGAIN_MS))
        return
      }
      if (rate !== undefined) this.#tokens -= waiting.bytes
      this.#waiting.delete(waiting)
      waiting.go()
    }
    this.#sleep(undefined)
  }

  #fill(rate: number | undefined): void {
    const now = this.#clock.now()
    const seconds = (now - this.#filledAt) / 1_000
    this.#filledAt = now
    this.#tokens =
      rate === undefined ? 0 : Math.min(this.#tokens + seconds * rate, rate * BURST_SECONDS)
  }

  #sleep(ms: number | undefined): void {
    this.#callOff?.()
    this.#callOff = undefined
    if (ms === undefined) return
    this.#callOff = this.#clock.after(Math.max(1, Math.ceil(ms)), () => {
      this.#callOff = undefined
      this.#letPass()
    })
  }
}
