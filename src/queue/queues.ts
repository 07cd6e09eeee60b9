import { randomBytes } from 'node:crypto'
import { type Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { JobsConfig } from '../config/config.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { type ConnectionErrorListener, openProducerConnection, whenReady } from './connection.ts'
import type { Enqueued } from './enqueued.ts'
import { QueueUnavailableError } from './errors.ts'
import { Gathering } from './gathering.ts'
import { makeWay } from './make-way.ts'
import { deduplicationId } from './payload.ts'
import { PRIORITY } from './priority.ts'

/** Every key that pullsync has in Redis begins with this. */
export const KEY_PREFIX = 'pullsync'

/** BullMQ's own events, for who else wants to listen to a queue. */
const EVENTS_KEPT = 1_000

export type ReplicationJob = Job<unknown, unknown>
export type ReplicationQueue = Queue<unknown, unknown>

export interface QueuesOptions {
  readonly url: string
  readonly upstreams: Iterable<string>
  readonly jobs: JobsConfig
  readonly onError: ConnectionErrorListener
}

/** The queues, one per upstream, as those who ask for work and look at it see them. */
export class ReplicationQueues implements AsyncDisposable {
  readonly redis: Redis
  readonly #queues = new Map<string, ReplicationQueue>()
  readonly #gatherings = new Map<string, Gathering>()
  readonly #onError: ConnectionErrorListener
  #jobs: JobsConfig

  constructor({ url, upstreams, jobs, onError }: QueuesOptions) {
    this.redis = openProducerConnection(url, onError)
    this.#onError = onError
    this.#jobs = jobs
    this.configure(upstreams, jobs)
  }

  /** Opens queues of upstreams that are new in the configuration; those that left keep their jobs. */
  configure(upstreams: Iterable<string>, jobs: JobsConfig): void {
    this.#jobs = jobs
    for (const upstream of upstreams) {
      if (!this.#queues.has(upstream)) this.#queues.set(upstream, this.#open(upstream))
    }
  }

  get upstreams(): readonly string[] {
    return [...this.#queues.keys()]
  }

  of(upstream: string): ReplicationQueue {
    const queue = this.#queues.get(upstream)
    if (queue === undefined) throw new Error(`there is no queue for upstream "${upstream}"`)
    return queue
  }

  all(): readonly (readonly [string, ReplicationQueue])[] {
    return [...this.#queues]
  }

  /**
   * Resolves once Redis holds the jobs.
   * @throws QueueUnavailableError when it does not within about two seconds
   */
  async enqueue(requests: readonly ReplicationRequest[]): Promise<readonly Enqueued[]> {
    try {
      return await Promise.all(
        requests.map((request) => this.#gatheringOf(request.upstreams[0]).add(request)),
      )
    } catch (error) {
      throw new QueueUnavailableError('queueing the work', error)
    }
  }

  /** @throws QueueUnavailableError when Redis does not answer within about two seconds */
  async ping(): Promise<void> {
    try {
      await whenReady(this.redis)
      await this.redis.ping()
    } catch (error) {
      throw new QueueUnavailableError('reaching Redis', error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
    this.redis.disconnect()
  }

  #gatheringOf(upstream: string): Gathering {
    const known = this.#gatherings.get(upstream)
    if (known !== undefined) return known
    const gathering = new Gathering((requests) => this.#add(upstream, requests))
    this.#gatherings.set(upstream, gathering)
    return gathering
  }

  async #add(
    upstream: string,
    requests: readonly ReplicationRequest[],
  ): Promise<readonly Enqueued[]> {
    const queue = await this.#usable(upstream)
    const jobs = requests.map((request) => this.#jobOf(upstream, request))
    // One connection keeps the order, so neither has to wait for the other's answer.
    const [, added] = await Promise.all([makeWay(this.redis, queue, requests), queue.addBulk(jobs)])
    return added.map(({ id = '' }, i) => ({ jobId: id, duplicate: id !== jobs[i]?.opts.jobId }))
  }

  // A BullMQ queue whose first connection failed stays unusable; a new one takes its place.
  async #usable(upstream: string): Promise<ReplicationQueue> {
    if (this.redis.status !== 'ready') throw new Error(`the connection is ${this.redis.status}`)
    const queue = this.of(upstream)
    try {
      await queue.waitUntilReady()
      return queue
    } catch {
      const another = this.#open(upstream)
      this.#queues.set(upstream, another)
      await another.waitUntilReady()
      return another
    }
  }

  #jobOf(upstream: string, request: ReplicationRequest) {
    const { attempts, keepCompleted, keepFailed } = this.#jobs
    return {
      name: request.trigger,
      data: request,
      opts: {
        jobId: `${upstream}-${randomBytes(6).toString('hex')}`,
        priority: PRIORITY[request.trigger],
        attempts,
        backoff: { type: 'custom' },
        deduplication: {
          id: deduplicationId(request),
          // What runs already does what a miss or a revalidation wants; other news may be newer.
          keepLastIfActive: request.trigger !== 'miss' && request.trigger !== 'revalidate',
        },
        // A walk makes thousands that end with nothing to tell; what they copy is in the log.
        removeOnComplete: request.trigger === 'resync' || {
          age: keepCompleted.ageMs / 1_000,
          count: keepCompleted.count,
        },
        removeOnFail: { age: keepFailed.ageMs / 1_000, count: keepFailed.count },
        stackTraceLimit: 0,
      },
    }
  }

  #open(upstream: string): ReplicationQueue {
    const queue: ReplicationQueue = new Queue(upstream, {
      connection: this.redis,
      prefix: KEY_PREFIX,
      // Nobody here reads them, and each of those about progress is as large as the progress.
      streams: { events: { maxLen: EVENTS_KEPT } },
    })
    queue.on('error', this.#onError)
    return queue
  }
}
