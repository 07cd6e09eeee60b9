import type { Clock } from './transfer-rate.ts'
import type { UsualWait } from './usual-wait.ts'

/** One thing that is asked of an upstream, as whoever asks tells of it. */
export interface PendingRequest {
  /** When nothing but the upstream's next byte is waited for; all the time, unless told. */
  waitsWhile(waiting: () => boolean): void
  /** A byte came. */
  moved(): void
}

/** What one job has asked of its upstreams. */
export class PendingRequests {
  underWay = 0
  silent = 0

  /** It waits for its upstreams alone, and none of them gives it anything. */
  get isStuck(): boolean {
    return this.underWay > 0 && this.silent === this.underWay
  }
}

export interface WatchedRequestOptions {
  readonly asked: PendingRequests
  readonly wait: UsualWait
  readonly clock: Clock
  /** Called when the upstream has given nothing for long, and again when it gives something after all. */
  readonly onSilence: (silent: boolean) => void
}

/** Sees when the upstream falls silent. Disposed when what was asked for is here, or given up. */
export class WatchedRequest implements PendingRequest, Disposable {
  readonly #options: WatchedRequestOptions
  readonly #begunAt: number
  #waiting = () => true
  #moved = false
  /** Looks in a row that found nothing new. */
  #quiet = 0
  #silent = false
  #answered = false
  #callOff: () => void

  constructor(options: WatchedRequestOptions) {
    this.#options = options
    this.#begunAt = options.clock.now()
    options.asked.underWay += 1
    this.#callOff = this.#lookLater()
  }

  waitsWhile(waiting: () => boolean): void {
    this.#waiting = waiting
  }

  moved(): void {
    this.#moved = true
    this.answered()
    this.#setSilent(false)
  }

  /** The upstream has begun to answer. */
  answered(): void {
    if (this.#answered) return
    this.#answered = true
    const { wait, clock } = this.#options
    wait.note(clock.now() - this.#begunAt)
  }

  [Symbol.dispose](): void {
    this.#callOff()
    this.#setSilent(false)
    this.#options.asked.underWay -= 1
  }

  /** Twice in the time after which silence counts. */
  #lookLater(): () => void {
    const { clock, wait } = this.#options
    return clock.after(wait.silentAfterMs / 2, () => {
      this.#quiet = this.#moved || !this.#waiting() ? 0 : this.#quiet + 1
      this.#moved = false
      if (this.#quiet >= 2) this.#setSilent(true)
      this.#callOff = this.#lookLater()
    })
  }

  #setSilent(silent: boolean): void {
    if (silent === this.#silent) return
    this.#silent = silent
    this.#quiet = 0
    this.#options.asked.silent += silent ? 1 : -1
    this.#options.onSilence(silent)
  }
}
