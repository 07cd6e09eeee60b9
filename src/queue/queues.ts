import { randomInt } from 'node:crypto'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Config } from '../config/config.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import {
  type ConnectionErrorListener,
  openProducerConnection,
  type RedisAddress,
  whenReady,
} from '../pool/connection.ts'
import { deduplicationKey } from './endings.ts'
import type { Enqueued, Offered } from './enqueued.ts'
import { keyPrefix } from '../pool/cluster/cluster-redis.ts'
import { QueueUnavailableError } from '../pool/redis-errors.ts'
import { Batchers } from './offer/batches.ts'
import { lighten } from './offer/lighten.ts'
import { makeWay, overlooked } from './offer/make-way.ts'
import { type Admission, MissLimits } from '../pool/miss-limits.ts'
import { PRIORITY } from './priority.ts'
import type { ReplicationQueue } from './replication-queue.ts'
import { deduplicationId, shortened } from './stored-request.ts'

/** BullMQ's own events, for who else wants to listen to a queue. */
const EVENTS_KEPT = 1_000
/** More than one job that ends in the moment of an offer is rare; nobody is to wait for ever. */
const MAX_OFFERS = 4

/** What of the configuration the queues obey. */
export type QueuesConfig = Pick<Config, 'jobs' | 'misses'>

export interface QueuesOptions extends QueuesConfig {
  readonly url: RedisAddress
  readonly upstreams: Iterable<string>
  readonly onError: ConnectionErrorListener
}

/** The queues, one per upstream, as those who ask for work and look at it see them. */
export class ReplicationQueues implements AsyncDisposable {
  readonly redis: Redis
  readonly limits: MissLimits
  readonly #queues = new Map<string, ReplicationQueue>()
  readonly #all = new Batchers<Enqueued>((upstream, requests) => this.#add(upstream, requests))
  readonly #misses = new Batchers<Offered>((upstream, requests) =>
    this.#addUnlessLimited(upstream, requests),
  )
  readonly #onError: ConnectionErrorListener
  #config: QueuesConfig

  constructor({ url, upstreams, onError, ...config }: QueuesOptions) {
    this.redis = openProducerConnection(url, onError)
    this.limits = new MissLimits(this.redis, () => this.#config.misses)
    this.#onError = onError
    this.#config = config
    this.configure(upstreams, config)
  }

  /** Opens queues of upstreams that are new in the configuration; those that left keep their jobs. */
  configure(upstreams: Iterable<string>, config: QueuesConfig): void {
    this.#config = config
    for (const upstream of upstreams) {
      if (!this.#queues.has(upstream)) this.#queues.set(upstream, this.#open(upstream))
    }
  }

  get upstreams(): readonly string[] {
    return [...this.#queues.keys()]
  }

  /** How often a job is tried. */
  get attempts(): number {
    return this.#config.jobs.attempts
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
    return await queueing(requests.map((request) => this.#all.add(request)))
  }

  /**
   * The same for what events ask for: misses are held back while their source or their repository
   * only asks for what upstream does not have. All else goes without asking.
   * @throws QueueUnavailableError as `enqueue`
   */
  async offer(requests: readonly ReplicationRequest[]): Promise<readonly Offered[]> {
    return await queueing(
      requests.map((request) =>
        request.trigger === 'miss' ? this.#misses.add(request) : this.#all.add(request),
      ),
    )
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

  /**
   * Whether Redis takes jobs: not while it has no memory for them, or is a replica.
   * @throws QueueUnavailableError
   */
  async checkTakesJobs(): Promise<void> {
    try {
      await whenReady(this.redis)
      await this.redis.set('pullsync:ready', '1', 'PX', 10_000)
    } catch (error) {
      throw new QueueUnavailableError('writing to Redis', error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
    this.redis.disconnect()
  }

  async #addUnlessLimited(
    upstream: string,
    requests: readonly ReplicationRequest[],
  ): Promise<readonly Offered[]> {
    const queue = await this.#usable(upstream)
    const admissions = await this.limits.admit(requests, (request) =>
      deduplicationKey(queue, deduplicationId(request)),
    )
    const passed = letIn(requests, admissions)
    const offers = passed.length === 0 ? [] : await this.#addOnce(upstream, passed)
    await this.#giveBack(passed.filter((_, i) => offers[i]?.duplicate))
    const added = offers.values()
    return admissions.flatMap(({ limited }): Offered | [] =>
      limited === undefined ? (added.next().value ?? []) : { limited },
    )
  }

  /** A job that others have asked for answers these, too. */
  async #giveBack(duplicates: readonly ReplicationRequest[]): Promise<void> {
    await Promise.all(duplicates.map((request) => this.limits.giveBack(request)))
  }

  /** What many clients of one source miss is added once. */
  async #addOnce(
    upstream: string,
    requests: readonly ReplicationRequest[],
  ): Promise<readonly Enqueued[]> {
    const places = new Map<string, number>()
    const once: ReplicationRequest[] = []
    const asked = requests.map((request) => {
      const id = `${request.source} ${deduplicationId(request)}`
      const known = places.get(id)
      const place = known ?? once.push(request) - 1
      places.set(id, place)
      return { place, isAgain: known !== undefined }
    })
    const added = await this.#add(upstream, once)
    return asked.flatMap(({ place, isAgain }) => {
      const enqueued = added[place]
      return enqueued === undefined ? [] : { ...enqueued, duplicate: enqueued.duplicate || isAgain }
    })
  }

  async #add(
    upstream: string,
    requests: readonly ReplicationRequest[],
  ): Promise<readonly Enqueued[]> {
    return await this.#offer(await this.#usable(upstream), requests)
  }

  async #offer(
    queue: ReplicationQueue,
    requests: readonly ReplicationRequest[],
    tries = MAX_OFFERS,
  ): Promise<readonly Enqueued[]> {
    const jobs = requests.map((request) => this.#jobOf(queue.name, request))
    // One connection keeps the order, so neither has to wait for the other's answer.
    const [, known] = await Promise.all([makeWay(this.redis, queue, requests), queue.addBulk(jobs)])
    const offers = known.flatMap(({ id = '' }, i) => {
      const request = requests[i]
      const duplicate = id !== jobs[i]?.opts.jobId
      return request === undefined ? [] : [{ request, jobId: id, duplicate }]
    })
    const added = offers.flatMap(({ jobId, duplicate }) => (duplicate ? [] : [jobId]))
    // Nobody waits for it: without it the jobs only take more room.
    lighten(this.redis, queue, added).catch(() => undefined)
    const missed = tries > 1 ? [...(await overlooked(this.redis, queue, offers))] : []
    const again = missed.length > 0 ? await this.#offer(queue, missed, tries - 1) : []
    const offered = new Map(missed.map((request, i) => [request, again[i]]))
    return offers.map(({ request, ...enqueued }) => offered.get(request) ?? enqueued)
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
    return {
      name: request.trigger,
      data: shortened(request, upstream),
      // The others are the worker's to give: see work/job-options.ts.
      opts: {
        jobId: `${upstream}-${randomPart()}`,
        priority: PRIORITY[request.trigger],
        deduplication: {
          id: deduplicationId(request),
          // What runs already does what a miss or a revalidation wants; other news may be newer.
          keepLastIfActive: request.trigger !== 'miss' && request.trigger !== 'revalidate',
        },
      },
    }
  }

  #open(upstream: string): ReplicationQueue {
    const queue: ReplicationQueue = new Queue(upstream, {
      connection: this.redis,
      prefix: keyPrefix(this.redis),
      // Nobody here reads them, and each of those about progress is as large as the progress.
      streams: { events: { maxLen: EVENTS_KEPT } },
    })
    queue.on('error', this.#onError)
    return queue
  }
}

/** As short as 48 random bits can be for people to read them out. */
function randomPart(): string {
  return randomInt(2 ** 48 - 1)
    .toString(36)
    .padStart(10, '0')
}

function letIn(
  requests: readonly ReplicationRequest[],
  admissions: readonly Admission[],
): readonly ReplicationRequest[] {
  return requests.flatMap((request, i) => {
    const { limited, unpaid } = admissions[i] ?? {}
    if (limited !== undefined) return []
    return unpaid ? [{ ...request, unpaid }] : [request]
  })
}

async function queueing<T>(added: readonly Promise<T>[]): Promise<readonly T[]> {
  try {
    return await Promise.all(added)
  } catch (error) {
    throw new QueueUnavailableError('queueing the work', error)
  }
}
