import { type Announcements, ENDINGS, HOLDS } from '../pool/announced/announcements.ts'
import type { SharedHolds } from '../pool/gateways/shared-holds.ts'
import { Watches } from '../waiting/watches.ts'
import { TRIED_SOON_MS } from './endings.ts'
import type { ReplicationQueues } from './queues.ts'
import type { ReplicationJob } from './replication-queue.ts'

/** No client is held for an attempt that is further off: it is told at once that there is nothing now. */
const FAR_OFF_MS = 30_000
/** By then a first attempt at what is down has failed, and nobody else tells that it was put off. */
const LOOK_AGAIN_MS = 10_000

/** How a job stands that a client need not wait for any longer. */
export interface JobEnding {
  /**
   * An outcome's kind, or `failed`; `gone` when there is no such job; `put-off` for long; `held` or `down` when
   * that is the state of its upstream.
   */
  readonly kind: string
  /** Until it is tried again, in milliseconds, where that is known. */
  readonly forMs?: number
}

/** For clients that wait for the end of a job, over all of its attempts. */
export class JobEndings {
  readonly #queues: ReplicationQueues
  readonly #holds: SharedHolds
  readonly #watches: Watches<JobEnding>
  readonly #soon = new Set<string>()

  /** @param holds to be told of holds before this is */
  constructor(queues: ReplicationQueues, announcements: Announcements, holds: SharedHolds) {
    this.#queues = queues
    this.#holds = holds
    this.#watches = new Watches((id) => this.#look(id))
    announcements.listen({
      channel: ENDINGS,
      told: (message) => {
        const [id = '', kind = '', forMs] = message.split(' ')
        this.#watches.settle(id, { kind, ...(forMs !== undefined && { forMs: Number(forMs) }) })
      },
      missed: () => {
        this.#watches.wakeAll()
      },
    })
    announcements.listen({
      channel: HOLDS,
      told: (upstream) => {
        this.#watches.wakeAll((id) => upstreamOf(id) === upstream)
      },
      missed: () => undefined,
    })
  }

  /**
   * How the job has ended, once it has; or that it will not soon. Rejects only when the signal is aborted first;
   * the job goes on.
   */
  async ended(id: string, signal: AbortSignal): Promise<JobEnding> {
    this.#lookAgainSoon(id)
    return await this.#watches.wait(id, signal)
  }

  #lookAgainSoon(id: string): void {
    if (this.#soon.has(id)) return
    this.#soon.add(id)
    setTimeout(() => {
      this.#soon.delete(id)
      this.#watches.wake(id)
    }, LOOK_AGAIN_MS).unref()
  }

  async #look(id: string): Promise<JobEnding | undefined> {
    const upstream = upstreamOf(id)
    const job = await this.#queues.of(upstream).getJob(id)
    if (job === undefined) return { kind: 'gone' }
    if (job.finishedOn === undefined) return await this.#hopeless(id, upstream, job)
    const { returnvalue } = job
    const ended = typeof returnvalue === 'object' && returnvalue !== null && 'kind' in returnvalue
    return { kind: ended ? String(returnvalue.kind) : 'failed' }
  }

  /** Of a job that does not run: why nothing is to be hoped for from it soon. */
  async #hopeless(
    id: string,
    upstream: string,
    { timestamp, delay }: Pick<ReplicationJob, 'timestamp' | 'delay'>,
  ): Promise<JobEnding | undefined> {
    const inMs = timestamp + delay - Date.now()
    const hold = await this.#holds.holdOf(upstream)
    const isHeld = hold !== undefined && hold.forMs > TRIED_SOON_MS
    // Its state costs Redis ten commands; for most of those who wait it makes no difference.
    if (inMs <= FAR_OFF_MS && !isHeld) return undefined
    const state = await this.#queues.of(upstream).getJobState(id)
    // What it needs from upstream it may have already.
    if (state === 'active') return undefined
    if (isHeld) return { kind: hold.kind, forMs: hold.forMs }
    return state === 'delayed' ? { kind: 'put-off', forMs: inMs } : undefined
  }
}

/** A job's id begins with it. */
function upstreamOf(id: string): string {
  return id.slice(0, id.lastIndexOf('-'))
}
