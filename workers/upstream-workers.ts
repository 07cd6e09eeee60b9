import type { Config } from '../src/config/config.ts'
import type { JobListener, Replicate } from '../src/queue/work/job.ts'
import { JobWorker } from '../src/queue/work/job-worker.ts'
import type { Breakers } from '../src/pool/breaker.ts'
import type { Connection } from '../src/pool/connection.ts'
import { backgroundWait } from '../src/pool/pull-allowance.ts'
import type { Presence } from '../src/pool/presence.ts'
import type { ReplicationQueues } from '../src/queue/queues.ts'
import { Suspects } from '../src/queue/lost-workers/suspects.ts'
import type { ReplicationRequest } from '../src/replication/request.ts'

/** How long handing back may take before the connection to Redis is given up. */
const HAND_BACK_MS = 1_500

export interface UpstreamWorkersOptions {
  readonly queues: ReplicationQueues
  readonly connection: Connection
  readonly presence: Presence
  readonly replicate: Replicate
  readonly breakers: Breakers
  readonly listener: JobListener
}

/** One job worker per upstream of the configuration. */
export class UpstreamWorkers implements AsyncDisposable {
  readonly #options: UpstreamWorkersOptions
  readonly #workers = new Map<string, JobWorker>()
  readonly #closing = new Set<JobWorker>()
  readonly #suspects = new Suspects()
  #config: Config
  #starting: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(config: Config, options: UpstreamWorkersOptions) {
    this.#options = options
    this.#config = config
  }

  /**
   * Begins to serve what is new and stops serving what is gone; what stays runs on untouched. One call
   * waits for the other, since each waits for Redis, and what counts is the latest configuration.
   */
  async configure(config: Config): Promise<void> {
    this.#config = config
    this.#starting = this.#starting.then(() => this.#startMissing())
    await this.#starting
    const gone = [...this.#workers].filter(([upstream]) => !this.#config.upstreams.has(upstream))
    await Promise.all(gone.map(([upstream, worker]) => this.#retire(upstream, worker)))
  }

  /**
   * Takes nothing new, waits `graceMs` for what runs, and hands the rest back to the queue. Without
   * Redis that is not possible: the locks on the jobs lapse, and other workers take them.
   */
  async stop(graceMs: number): Promise<void> {
    const hurry = setTimeout(() => {
      for (const worker of this.#all()) worker.handBack()
    }, graceMs)
    const giveUp = setTimeout(() => {
      this.#options.connection.disconnect()
    }, graceMs + HAND_BACK_MS)
    await this[Symbol.asyncDispose]()
    clearTimeout(hurry)
    clearTimeout(giveUp)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#all().map((worker) => worker[Symbol.asyncDispose]()))
  }

  /** With those whose upstream is gone, and whose jobs still run. */
  #all(): readonly JobWorker[] {
    return [...this.#workers.values(), ...this.#closing]
  }

  async #retire(upstream: string, worker: JobWorker): Promise<void> {
    this.#workers.delete(upstream)
    this.#closing.add(worker)
    await worker[Symbol.asyncDispose]()
    this.#closing.delete(worker)
  }

  async #startMissing(): Promise<void> {
    for (const [upstream, { concurrency }] of this.#config.upstreams) {
      if (!this.#workers.has(upstream)) await this.#start(upstream, concurrency)
    }
  }

  async #start(upstream: string, concurrency: number): Promise<void> {
    const { queues, connection, presence, replicate, breakers, listener } = this.#options
    await presence.join(upstream)
    // It waits for Redis: the end of the process may come first, or a configuration without it.
    if (this.#stopped || !this.#config.upstreams.has(upstream)) return
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
      breakers,
      suspects: this.#suspects,
      lookAgain: (request) => lookAgain(queues, connection, request),
      listener,
    })
    this.#workers.set(upstream, worker)
  }
}

/** What is here is right as soon as the look has ended, whoever wrote the tag meanwhile. */
async function lookAgain(
  queues: ReplicationQueues,
  connection: Connection,
  { announcedDigest: _old, replaces: _before, followed: _by, ...request }: ReplicationRequest,
): Promise<void> {
  // It waits for Redis, the queues do not.
  await connection.ping()
  await queues.enqueue([{ ...request, trigger: 'resync', onlyIfPresent: true }])
}
