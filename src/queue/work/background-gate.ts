/** How soon a miss gets a place that a background job only waits in. */
const LOOK_EVERY_MS = 100

export interface BackgroundGateOptions {
  /** Background jobs that run at once. */
  readonly limit: number
  /** Whether something urgent stands at the head of the queue. */
  readonly isUrgentWaiting: () => Promise<boolean>
}

type Waiter = (admitted: boolean) => void

/**
 * Keeps background jobs from filling all of a worker's places. Those beyond the limit wait in their
 * places as long as nobody else wants them; when something urgent does, the latest goes back to the queue.
 */
export class BackgroundGate {
  readonly #options: BackgroundGateOptions
  readonly #waiting: Waiter[] = []
  #running = 0
  #looking: NodeJS.Timeout | undefined

  constructor(options: BackgroundGateOptions) {
    this.#options = options
  }

  /** Jobs that have a place, and wait in it. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** False: the job is to go back to the queue. Whoever is admitted has to `leave`. */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.#running < this.#options.limit) {
      this.#running += 1
      return true
    }
    return await new Promise((resolve) => {
      const turnAway = () => {
        this.#settle(waiter, false)
      }
      const waiter: Waiter = (admitted) => {
        signal.removeEventListener('abort', turnAway)
        resolve(admitted)
      }
      signal.addEventListener('abort', turnAway)
      this.#waiting.push(waiter)
      this.#looking ??= setTimeout(() => void this.#look(), LOOK_EVERY_MS)
    })
  }

  leave(): void {
    const [next] = this.#waiting
    // The place goes from one to the other.
    if (next === undefined) this.#running -= 1
    else this.#settle(next, true)
  }

  #settle(waiter: Waiter, admitted: boolean): void {
    const at = this.#waiting.indexOf(waiter)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    waiter(admitted)
  }

  async #look(): Promise<void> {
    // Redis is away: nothing can be given back, and nothing comes.
    const urgent = await this.#options.isUrgentWaiting().catch(() => false)
    const latest = this.#waiting.at(-1)
    if (urgent && latest !== undefined) this.#settle(latest, false)
    this.#looking = undefined
    if (this.#waiting.length === 0) return
    this.#looking = setTimeout(() => void this.#look(), LOOK_EVERY_MS)
  }
}
