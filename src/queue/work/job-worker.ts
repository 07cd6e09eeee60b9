import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { JobsConfig, MissLimitsConfig } from '../../config/config.ts'
import type { Breakers } from '../../pool/breaker.ts'
import type { BackgroundWait } from '../../pool/pull-allowance.ts'
import { ReplicationError } from '../../replication/errors.ts'
import type { Outcome } from '../../replication/outcome.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { unlessAborted } from '../../waiting/aborting.ts'
import { LOCK_MS, MAX_STALLS, STALLED_CHECK_MS } from '../lost-workers/locks.ts'
import type { Suspects } from '../lost-workers/suspects.ts'
import { parsePayload } from '../payload.ts'
import { LOOKS_FROM, PRIORITY, URGENT } from '../priority.ts'
import { keyPrefix } from '../../pool/cluster/cluster-redis.ts'
import type { ReplicationJob, ReplicationQueue } from '../replication-queue.ts'
import { BackgroundGate } from './background-gate.ts'
import { giveBack, leave, postpone, putOff } from './give-back.ts'
import { priorityOfNext } from './head-of-queue.ts'
import type { JobFacts, JobListener, Replicate } from './job.ts'
import { JobEndings, TAG_BUSY_MS } from './job-endings.ts'
import { forgetIfPassing, giveOptions, kept } from './job-options.ts'
import { LockWatch, LostRightError } from './lock-watch.ts'
import { ProgressRecorder } from './progress-recorder.ts'
import { type Place, Places } from './places.ts'
import { asJobError, delayBeforeRetry } from './retry.ts'
import { enterLocal } from './registry-guard.ts'
import { type Holder, holdingRight } from './holding-right.ts'
import { needsRight, type TagRight } from './tag-right.ts'

// For misses, and what people ask for by hand.
const PLACES_FOR_URGENT = 8

/** A worker gives a job up before Redis gives it to another. */
const LOCK_MARGIN_MS = 1_000
/** So does one that may kill its worker, and must not run beside another such. */
const SUSPECT_BUSY_MS = 2_000

/** How long BullMQ may take to close once no job runs: by then only a Redis that hangs is waited for. */
const CLOSE_MS = 1_000

export interface JobWorkerOptions {
  readonly upstream: string
  readonly queue: ReplicationQueue
  /** Its commands wait for Redis; shared by the workers of a process. */
  readonly connection: Redis
  /** Background jobs at once in this process; somebody who waits finds places beside them. */
  readonly concurrency: number
  readonly jobs: () => JobsConfig
  readonly misses: () => MissLimitsConfig
  /** For how long what only looks upstream has to wait; undefined when it may run. */
  readonly backgroundWait: () => Promise<BackgroundWait | undefined>
  readonly replicate: Replicate
  readonly breakers: Breakers
  /** Of this process. */
  readonly suspects: Suspects
  /** Queues another look at an image whose tag may have been set back; waits for Redis. */
  readonly lookAgain: (request: ReplicationRequest) => Promise<void>
  readonly listener: JobListener
}

/** Runs the jobs of one upstream. Disposing it waits for the running ones; `handBack` hurries them. */
export class JobWorker implements AsyncDisposable {
  readonly #options: JobWorkerOptions
  readonly #worker: Worker<unknown, unknown>
  readonly #stop = new AbortController()
  readonly #gate: BackgroundGate
  readonly #places: Places
  readonly #running = new Set<Promise<Outcome>>()
  readonly #endings: JobEndings
  readonly #locks = new LockWatch(LOCK_MS - LOCK_MARGIN_MS)

  constructor(options: JobWorkerOptions) {
    this.#options = options
    this.#endings = new JobEndings(options)
    this.#gate = new BackgroundGate({
      limit: options.concurrency,
      isUrgentWaiting: async () =>
        ((await priorityOfNext(options.connection, options.queue)) ?? Infinity) <= URGENT,
    })
    const size = options.concurrency + PLACES_FOR_URGENT
    this.#places = new Places({
      size,
      wanted: async () => {
        if (this.#running.size < size) return this.#gate.waiting
        const waiting = await options.connection.zcard(options.queue.toKey('prioritized'))
        return this.#gate.waiting + waiting
      },
    })
    this.#worker = new Worker<unknown, unknown>(
      options.upstream,
      (job, token, signal) => this.#tracked(this.#take(job, token ?? '', signal)),
      {
        connection: options.connection,
        prefix: keyPrefix(options.connection),
        concurrency: size,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: MAX_STALLS,
        runRetryDelay: 1_000,
        // A limit that is never reached: BullMQ heeds queue.rateLimit() only where there is one.
        limiter: { max: Number.MAX_SAFE_INTEGER, duration: 1_000 },
        metrics: { maxDataPoints: 60 },
        removeOnComplete: kept(() => options.jobs().keepCompleted),
        removeOnFail: kept(() => options.jobs().keepFailed),
        settings: {
          backoffStrategy: (made, _type, error) => this.#endings.delayAfter(made, error),
        },
      },
    )
    this.#worker.on('error', (error) => {
      options.listener.connectionError(error)
    })
    this.#worker.on('failed', this.#endings.lostTooOften)
    this.#worker.on('locksRenewed', ({ jobIds }) => {
      this.#locks.renewed(jobIds)
    })
    this.#worker.on('lockRenewalFailed', (ids: string[]) => {
      this.#locks.lost(ids)
    })
  }

  /** Ends the running copies; their jobs go back to the queue without losing an attempt. */
  handBack(): void {
    this.#stop.abort(new Error('the worker is stopping'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new AbortController()
    const closing = this.#worker.close().finally(() => {
      closed.abort()
    })
    await Promise.race([closing, this.#idle(closed.signal)])
    // By now it has nothing to end but its own connection, in whatever state that is.
    if (!closed.signal.aborted) this.#worker.disconnect().catch(() => undefined)
  }

  /** Resolves when BullMQ has had no job for `CLOSE_MS` to wait for, or has closed. */
  async #idle(closed: AbortSignal): Promise<void> {
    do {
      await Promise.allSettled(this.#running)
      await delay(CLOSE_MS, undefined, { signal: closed, ref: false }).catch(() => undefined)
    } while (this.#running.size > 0 && !closed.aborted)
  }

  async #tracked(run: Promise<Outcome>): Promise<Outcome> {
    this.#running.add(run)
    try {
      return await run
    } finally {
      this.#running.delete(run)
    }
  }

  async #take(job: ReplicationJob, token: string, signal?: AbortSignal): Promise<Outcome> {
    // BullMQ 6.7 can still take a job while it closes, even the one that was just given back.
    if (this.#stop.signal.aborted) return await giveBack(job, token)
    // An earlier run of it has lost its lock and has not ended: BullMQ would renew no lock of this one after that.
    if (this.#locks.watches(job.id)) return await postpone(job, token, TAG_BUSY_MS)
    using alone = this.#options.suspects.admit(job.stalledCounter)
    if (alone === undefined) return await postpone(job, token, SUSPECT_BUSY_MS)
    const attempts = giveOptions(job, this.#options.jobs())
    using place = this.#places.take({ attempt: job.attemptsMade + 1, attempts })
    if (place === undefined) {
      const waitMs = delayBeforeRetry(job.attemptsMade, undefined, this.#options.jobs())
      return await postpone(job, token, waitMs)
    }
    using lock = this.#locks.watch(job.id ?? '')
    const ends = [this.#stop.signal, lock.signal, place.signal, ...(signal ? [signal] : [])]
    const taken = { job, token, place, lost: lock.signal, signal: AbortSignal.any(ends) }
    try {
      return await this.#run(taken)
    } catch (error) {
      if (lock.signal.aborted || error instanceof LostRightError) return leave(job, this.#options)
      throw error
    }
  }

  async #run(taken: TakenJob): Promise<Outcome> {
    const { job, token } = taken
    const request = parsePayload(job, this.#options.upstream)
    if (!request.ok) {
      throw asJobError(new ReplicationError(request.reason, { disposition: 'permanent' }))
    }
    forgetIfPassing(job, request.value)
    const priority = PRIORITY[request.value.trigger]
    if (priority <= URGENT) return await this.#withRight(taken, request.value)
    if (priority >= LOOKS_FROM) {
      const wait = await this.#options.backgroundWait()
      if (wait !== undefined) return await putOff(job, token, wait)
    }
    if (!(await this.#gate.enter(taken.signal))) {
      taken.lost.throwIfAborted()
      return await giveBack(job, token)
    }
    try {
      return await this.#withRight(taken, request.value)
    } finally {
      this.#gate.leave()
    }
  }

  /** One job at a time writes a tag; the others come back to it. */
  async #withRight(taken: TakenJob, request: ReplicationRequest): Promise<Outcome> {
    if (!needsRight(request)) return await this.#replicate(taken, request)
    const ended = await this.#holdingRight(taken, request, (right) =>
      this.#replicate(taken, request, right),
    )
    return ended ?? (await postpone(taken.job, taken.token, TAG_BUSY_MS))
  }

  #holdingRight<T>(
    taken: TakenJob,
    request: ReplicationRequest,
    run: (right: TagRight) => Promise<T>,
  ): Promise<T | undefined> {
    return holdingRight(taken, request, { ...this.#options, lockMs: LOCK_MS }, run)
  }

  async #replicate(
    taken: TakenJob,
    request: ReplicationRequest,
    right?: TagRight,
  ): Promise<Outcome> {
    const { job, token, place, signal, lost } = taken
    const { upstream, listener, replicate } = this.#options
    const attempt = job.attemptsMade + 1
    const facts: JobFacts = { id: job.id ?? '', upstream, request, attempt }
    const startedAt = Date.now()
    const recorder = new ProgressRecorder(job)
    const guard = this.#endings.guard(job, request)
    try {
      await enterLocal(guard, request)
      listener.started(facts)
      const outcome = await replicate(request, {
        id: facts.id,
        attempt,
        queuedAt: job.timestamp,
        asked: place.asked,
        signal,
        // Redis may be away: the lock lapses before it has answered.
        confirmRight: async () => {
          if (right !== undefined) await unlessAborted(right.confirm(), signal)
        },
        withRightTo: (tag, run) =>
          this.#holdingRight(taken, { ...request, reference: tag }, (other) =>
            run(() => unlessAborted(other.confirm(), signal)),
          ),
        guard: (source) => guard.guard(source),
        progress: (progress) => {
          recorder.record(progress)
        },
        log: (line) => {
          recorder.log(line)
        },
      })
      await unlessAborted(recorder.finish(), lost)
      await this.#endings.ended(job, facts, outcome, guard)
      listener.ended(facts, outcome, Date.now() - startedAt)
      return outcome
    } catch (error) {
      if (lost.aborted || error instanceof LostRightError) {
        recorder.drop()
        listener.lost(facts)
        guard.left().catch(listener.connectionError)
        throw error
      }
      await recorder.finish()
      if (this.#stop.signal.aborted) {
        await guard.left()
        return await giveBack(job, token, () => {
          listener.handedBack(facts)
        })
      }
      const durationMs = Date.now() - startedAt
      const waitMs = await this.#endings.heldFor(job, facts, error, guard)
      if (waitMs > 0) return await postpone(job, token, waitMs)
      throw await this.#endings.failed(job, facts, { error, durationMs }, guard)
    }
  }
}

/** A job that this worker has taken, and for how long. */
interface TakenJob extends Holder {
  readonly place: Place
  /** Aborted when the lock is lost, when the job is to make way, and when the worker is to stop. */
  readonly signal: AbortSignal
}
