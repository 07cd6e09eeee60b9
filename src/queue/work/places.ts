import { ReplicationError } from '../../replication/errors.ts'
import { PendingRequests } from '../../replication/pace/watched-request.ts'

/** How soon others get the place of a job that is stuck. */
const LOOK_EVERY_MS = 250
/** Of all places, for jobs that have failed before. */
const FOR_RETRIES = 1 / 4

/** Its upstream gave it nothing while others waited for its place. */
export class GaveWayError extends ReplicationError {
  override readonly name = 'GaveWayError'

  constructor() {
    super(
      'gave its place to other images: its upstream sent nothing for a while. It is tried again with more patience.',
      { disposition: 'transient' },
    )
  }
}

export interface PlacesOptions {
  readonly size: number
  /** How many others would take a place that is given free now. */
  readonly wanted: () => Promise<number>
}

interface Attempt {
  /** From 1. */
  readonly attempt: number
  /** How many there may be. */
  readonly attempts: number
}

/** The right of one job to run in this process. Disposed when it does not any more. */
export interface Place extends Disposable {
  readonly asked: PendingRequests
  /** Aborted with a GaveWayError when the job is to make way. */
  readonly signal: AbortSignal
}

interface Held {
  readonly asked: PendingRequests
  readonly giveWay: AbortController
  readonly isRetry: boolean
  readonly mayGiveWay: boolean
}

/**
 * A worker's places for the jobs of one upstream. Images that fail again and again have a few of them, so
 * that good ones never wait behind them. A job that is stuck for the first time gives its place to
 * others that wait; tried again, it is one of those few, and waits as long as a stall may take.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #held = new Set<Held>()
  #looking: NodeJS.Timeout | undefined

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** Undefined when others that failed before have all places for such. */
  take({ attempt, attempts }: Attempt): Place | undefined {
    const isRetry = attempt > 1
    if (isRetry && this.#retries() >= Math.ceil(this.#options.size * FOR_RETRIES)) return undefined
    const asked = new PendingRequests()
    const giveWay = new AbortController()
    const held = { asked, giveWay, isRetry, mayGiveWay: !isRetry && attempt < attempts }
    this.#held.add(held)
    this.#lookLater()
    return {
      asked,
      signal: giveWay.signal,
      [Symbol.dispose]: () => {
        this.#held.delete(held)
      },
    }
  }

  #retries(): number {
    return [...this.#held].filter(({ isRetry }) => isRetry).length
  }

  #lookLater(): void {
    this.#looking ??= setTimeout(() => void this.#look(), LOOK_EVERY_MS).unref()
  }

  async #look(): Promise<void> {
    if (this.#stuck().length > 0) {
      // Redis is away: nobody can come.
      const wanted = await this.#options.wanted().catch(() => 0)
      for (const { giveWay } of this.#stuck().slice(0, wanted)) giveWay.abort(new GaveWayError())
    }
    this.#looking = undefined
    if (this.#held.size > 0) this.#lookLater()
  }

  #stuck(): readonly Held[] {
    return [...this.#held].filter(
      ({ asked, giveWay, mayGiveWay }) => mayGiveWay && asked.isStuck && !giveWay.signal.aborted,
    )
  }
}
