import { setMaxListeners } from 'node:events'
import { TRIGGERS } from '../request.ts'
import { TransferLimit } from './transfer-limit.ts'
import { firstOf, type JobOrder, type Waiting } from './transfer-line.ts'
import { type Clock, REAL_CLOCK, TransferRate } from './transfer-rate.ts'
import type { Transfer, TransferSlots } from './transfer-slots.ts'
import { PendingRequests, WatchedRequest } from './watched-request.ts'
import { type HeldSlot, UpstreamLines } from './upstream-lines.ts'

export interface TransferLimits {
  /** Transfers at once from this upstream, by this process; 0 while none may start. */
  readonly upstream: (id: string) => number
  /** Uploads at once to the local registry, by this process, from all upstreams together. */
  readonly local: () => number
  /** What this process may fetch from this upstream, in bytes; undefined is no limit. */
  readonly bytesPerSecond?: (id: string) => number | undefined
}

/** Up to this many bytes, a transfer is over before it hinders anybody. */
export const SMALL_BYTES = 1024 * 1024
/** From this urgency on nobody waits for it. */
const BACKGROUND_FROM = TRIGGERS.indexOf('push')

/**
 * Whose transfer starts next, over all upstreams of this process. A transfer takes all the slots
 * that it needs at once or none, in this order: the most urgent job, then the oldest job, then its
 * largest transfer. Each sixteenth start of an upstream goes to whoever has waited longest there, one
 * such at a time, so that a stream of misses delays a resync and never stops it. A transfer to which its
 * upstream gives nothing lends its slots to the others.
 */
export class TransferSchedule {
  readonly #limits: TransferLimits
  readonly #clock: Clock
  readonly #local: TransferLimit
  readonly #upstreams = new Map<string, UpstreamLines>()
  #jobs = 0
  #arrivals = 0
  /** Slots that were given beside those of transfers. */
  #extra = 0

  constructor(limits: TransferLimits, clock: Clock = REAL_CLOCK) {
    this.#limits = limits
    this.#clock = clock
    this.#local = new TransferLimit(limits.local)
  }

  /**
   * The slots of one upstream for one job.
   * @param asked keeps what the job waits for
   */
  slots(id: string, order: JobOrder, asked = new PendingRequests()): TransferSlots {
    const upstream = this.#upstream(id)
    this.#jobs += 1
    const job = { ...order, number: this.#jobs }
    const turn = (onSilence: (silent: boolean) => void) =>
      new WatchedRequest({ asked, wait: upstream.wait, clock: this.#clock, onSilence })
    return {
      pace: upstream.rate,
      usual: upstream.usual,
      run: async (transfer, signal, work) => {
        const slot = await this.#turn(upstream, job, transfer, signal)
        try {
          using running = turn((silent) => {
            slot.setLent(silent)
            if (silent) this.startWaiting()
          })
          return await work(running)
        } finally {
          slot.end()
          this.startWaiting()
        }
      },
      // Where the rate is set, more connections bring no more of it.
      extra: () =>
        this.#limits.bytesPerSecond?.(id) === undefined
          ? this.#giveExtra(upstream, job)
          : undefined,
      ask: async (request) => {
        using asking = turn(() => undefined)
        const answer = await request()
        asking.answered()
        return answer
      },
    }
  }

  /** To be called when a limit has changed; the end of a transfer is noticed by itself. */
  startWaiting(): void {
    for (;;) {
      const next = this.#outOfTurn() ?? this.#inTurn()
      if (next === undefined) return
      next.start()
    }
  }

  async #turn(
    upstream: UpstreamLines,
    job: Waiting['job'],
    { bytes, uploads, asks = false }: Transfer,
    signal: AbortSignal,
  ): Promise<HeldSlot> {
    signal.throwIfAborted()
    const kind = { background: job.urgency >= BACKGROUND_FROM, large: bytes > SMALL_BYTES }
    const line = upstream.line({ ...kind, uploads, asks })
    this.#arrivals += 1
    const arrived = this.#arrivals
    return await new Promise((resolve, reject) => {
      const giveUp = () => {
        if (line.remove(waiting)) reject(signal.reason as Error)
      }
      const waiting: Waiting = {
        job,
        bytes,
        arrived,
        start: () => {
          signal.removeEventListener('abort', giveUp)
          resolve(upstream.begin(line, waiting))
        },
      }
      // All transfers of a job listen to its one signal; that is no leak.
      setMaxListeners(0, signal)
      signal.addEventListener('abort', giveUp, { once: true })
      line.add(waiting)
      this.startWaiting()
    })
  }

  #giveExtra(upstream: UpstreamLines, { urgency }: JobOrder): (() => void) | undefined {
    const kind = { background: urgency >= BACKGROUND_FROM, large: true }
    const line = upstream.line({ ...kind, uploads: false, asks: false })
    let large = -this.#extra
    for (const some of this.#upstreams.values()) large += some.large
    if (large > 1 || !line.hasRoom) return undefined
    this.#extra += 1
    line.take()
    return () => {
      this.#extra -= 1
      line.give()
      this.startWaiting()
    }
  }

  #outOfTurn(): Waiting | undefined {
    for (const upstream of this.#upstreams.values()) {
      const longest = upstream.due()
      if (longest !== undefined) return longest
    }
    return undefined
  }

  #inTurn(): Waiting | undefined {
    return firstOf([...this.#upstreams.values()].map((upstream) => upstream.first()))
  }

  #upstream(id: string): UpstreamLines {
    const known = this.#upstreams.get(id)
    if (known !== undefined) return known
    const { upstream: transfers, bytesPerSecond } = this.#limits
    const rate = new TransferRate(() => bytesPerSecond?.(id))
    const limit = () => new TransferLimit(() => transfers(id))
    const limits = { transfers: limit(), asks: limit(), uploads: this.#local }
    const upstream = new UpstreamLines(limits, rate)
    this.#upstreams.set(id, upstream)
    return upstream
  }
}
