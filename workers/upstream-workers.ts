import type { Config } from '../src/config/config.ts'
import { type JobListener, JobWorker, type Replicate } from '../src/queue/job-worker.ts'
import type { Connection } from '../src/queue/connection.ts'
import { backgroundWait } from '../src/queue/pull-allowance.ts'
import type { Presence } from '../src/queue/presence.ts'
import type { ReplicationQueues } from '../src/queue/queues.ts'

/** How long handing back may take before the connection to Redis is given up. */
const HAND_BACK_MS = 1_500

export interface UpstreamWorkersOptions {
  readonly queues: ReplicationQueues
  readonly connection: Connection
  readonly presence: Presence
  readonly replicate: Replicate
  readonly listener: JobListener
}

/** One job worker per upstream of the configuration. */
export class UpstreamWorkers implements AsyncDisposable {
  readonly #options: UpstreamWorkersOptions
  readonly #workers = new Map<string, JobWorker>()
  #config: Config

  constructor(config: Config, options: UpstreamWorkersOptions) {
    this.#options = options
    this.#config = config
  }

  /** Begins to serve what is new and stops serving what is gone; what stays runs on untouched. */
  async configure(config: Config): Promise<void> {
    this.#config = config
    const gone = [...this.#workers].filter(([upstream]) => !config.upstreams.has(upstream))
    for (const [upstream] of gone) this.#workers.delete(upstream)
    for (const [upstream, { concurrency }] of config.upstreams) {
      if (!this.#workers.has(upstream)) await this.#start(upstream, concurrency)
    }
    await Promise.all(gone.map(([, worker]) => worker[Symbol.asyncDispose]()))
  }

  /**
   * Takes nothing new, waits `graceMs` for what runs, and hands the rest back to the queue. Without
   * Redis that is not possible: the locks on the jobs lapse, and other workers take them.
   */
  async stop(graceMs: number): Promise<void> {
    const hurry = setTimeout(() => {
      for (const worker of this.#workers.values()) worker.handBack()
    }, graceMs)
    const giveUp = setTimeout(() => {
      this.#options.connection.disconnect()
    }, graceMs + HAND_BACK_MS)
    await this[Symbol.asyncDispose]()
    clearTimeout(hurry)
    clearTimeout(giveUp)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = [...this.#workers.values()].map((worker) => worker[Symbol.asyncDispose]())
    await Promise.all(closing)
  }

  async #start(upstream: string, concurrency: number): Promise<void> {
    const { queues, connection, presence, replicate, listener } = this.#options
    await presence.join(upstream)
    const worker = new JobWorker({
      upstream,
      queue: queues.of(upstream),
      connection,
      // Jobs mostly wait for slots and for each other's blobs; what is limited is transfers.
      concurrency: Math.max(8, concurrency * 2),
      jobs: () => this.#config.jobs,
      misses: () => this.#config.misses,
      backgroundWait: () =>
        backgroundWait(queues.redis, {
          upstream,
          floor: () => this.#config.upstreams.get(upstream)?.rateLimitFloor ?? 0,
        }),
      replicate,
      listener,
    })
    this.#workers.set(upstream, worker)
  }
}
