import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { JobsConfig, MissLimitsConfig } from '../config/config.ts'
import type { Outcome } from '../replication/outcome.ts'
import type { Progress } from '../replication/progress.ts'
import { ReplicationError } from '../replication/errors.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { BackgroundGate } from './background-gate.ts'
import { rememberEnding } from './endings.ts'
import { priorityOfNext } from './head-of-queue.ts'
import { giveBack, postpone } from './give-back.ts'
import { recordFailure, recordSuccess } from './health.ts'
import { MissLimits } from './miss-limits.ts'
import { parsePayload } from './payload.ts'
import type { BackgroundWait } from './pull-allowance.ts'
import { LOOKS_FROM, PRIORITY, URGENT } from './priority.ts'
import { ProgressRecorder } from './progress-recorder.ts'
import { KEY_PREFIX, type ReplicationJob, type ReplicationQueue } from './queues.ts'
import { forgetCheck, noteChecked } from './tag-checks.ts'
import { asJobError, delayBeforeRetry, dispositionOf, retryAfterOf } from './retry.ts'

// For misses, and what people ask for by hand.
const PLACES_FOR_URGENT = 8

// A worker that dies holds its jobs until their lock lapses; another sees that at the next check.
const LOCK_MS = 10_000
const STALLED_CHECK_MS = 5_000
/** How often one job may lose its worker before it counts as what kills them. */
const MAX_STALLS = 5

/** How long BullMQ may take to close once no job runs. */
const CLOSE_MS = 5_000

/** What a job needs from its surroundings while it runs. */
export interface JobContext {
  readonly id: string
  /** From 1. */
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  readonly signal: AbortSignal
  readonly progress: (progress: Progress) => void
  /** A line in the job's own log, shown by `pullsync jobs show` and the dashboard. */
  readonly log: (line: string) => void
}

export type Replicate = (request: ReplicationRequest, context: JobContext) => Promise<Outcome>

/** Told about every turn in a job's life, for logs and metrics. Must not throw. */
export interface JobListener {
  started(job: JobFacts): void
  ended(job: JobFacts, outcome: Outcome, durationMs: number): void
  failed(job: JobFacts, failure: JobFailure): void
  /** The worker is stopping; another will run the job from where the copy was. */
  handedBack(job: JobFacts): void
  /** The upstream asked everybody to keep away for a while. */
  held(upstream: string, retryAfterMs: number): void
  readonly connectionError: (error: Error) => void
}

export interface JobFacts {
  readonly id: string
  readonly upstream: string
  readonly request: ReplicationRequest
  readonly attempt: number
}

export interface JobFailure {
  readonly error: unknown
  readonly durationMs: number
  /** Absent when it is not tried again by itself. */
  readonly retryInMs?: number
}

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
  readonly listener: JobListener
}

/** Runs the jobs of one upstream. Disposing it waits for the running ones; `handBack` hurries them. */
export class JobWorker implements AsyncDisposable {
  readonly #options: JobWorkerOptions
  readonly #worker: Worker<unknown, unknown>
  readonly #stop = new AbortController()
  readonly #gate: BackgroundGate
  readonly #limits: MissLimits
  readonly #running = new Set<Promise<Outcome>>()
  /** What was said of a failed attempt is what happens: BullMQ asks for the delay a moment later. */
  readonly #delays = new WeakMap<Error, number>()

  constructor(options: JobWorkerOptions) {
    this.#options = options
    this.#limits = new MissLimits(options.connection, options.misses)
    this.#gate = new BackgroundGate({
      limit: options.concurrency,
      isUrgentWaiting: async () =>
        ((await priorityOfNext(options.connection, options.queue)) ?? Infinity) <= URGENT,
    })
    this.#worker = new Worker<unknown, unknown>(
      options.upstream,
      (job, token, signal) => this.#tracked(this.#run(job, token ?? '', signal)),
      {
        connection: options.connection,
        prefix: KEY_PREFIX,
        concurrency: options.concurrency + PLACES_FOR_URGENT,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: MAX_STALLS,
        runRetryDelay: 1_000,
        // A limit that is never reached: BullMQ heeds queue.rateLimit() only where there is one.
        limiter: { max: Number.MAX_SAFE_INTEGER, duration: 1_000 },
        metrics: { maxDataPoints: 60 },
        settings: {
          backoffStrategy: (made, _type, error) =>
            (error && this.#delays.get(error)) ?? delayBeforeRetry(made, error, options.jobs()),
        },
      },
    )
    this.#worker.on('error', (error) => {
      options.listener.connectionError(error)
    })
    // The lock is gone, so another worker has the job: two must not write the same upload.
    this.#worker.on('lockRenewalFailed', (ids: string[]) => {
      for (const id of ids) this.#worker.cancelJob(id, 'the lock on the job was lost')
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

  async #run(job: ReplicationJob, token: string, signal?: AbortSignal): Promise<Outcome> {
    // BullMQ 6.7 can still take a job while it closes, even the one that was just given back.
    if (this.#stop.signal.aborted) return await giveBack(job, token)
    const request = parsePayload(job.data)
    if (!request.ok) {
      throw asJobError(new ReplicationError(request.reason, { disposition: 'permanent' }))
    }
    if (PRIORITY[request.value.trigger] <= URGENT) {
      return await this.#replicate(job, token, request.value, signal)
    }
    if (PRIORITY[request.value.trigger] >= LOOKS_FROM) {
      const wait = await this.#options.backgroundWait()
      if (wait !== undefined) return await postpone(job, token, wait)
    }
    if (!(await this.#gate.enter(this.#stopOr(signal)))) return await giveBack(job, token)
    try {
      return await this.#replicate(job, token, request.value, signal)
    } finally {
      this.#gate.leave()
    }
  }

  #stopOr(signal?: AbortSignal): AbortSignal {
    return AbortSignal.any([this.#stop.signal, ...(signal ? [signal] : [])])
  }

  async #replicate(
    job: ReplicationJob,
    token: string,
    request: ReplicationRequest,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const { upstream, listener, replicate } = this.#options
    const attempt = job.attemptsMade + 1
    const facts: JobFacts = { id: job.id ?? '', upstream, request, attempt }
    const startedAt = Date.now()
    const recorder = new ProgressRecorder(job)
    listener.started(facts)
    try {
      const outcome = await replicate(request, {
        id: facts.id,
        attempt,
        queuedAt: job.timestamp,
        signal: this.#stopOr(signal),
        progress: (progress) => {
          recorder.record(progress)
        },
        log: (line) => {
          recorder.log(line)
        },
      })
      await recorder.finish()
      await this.#ended(job, facts, outcome)
      listener.ended(facts, outcome, Date.now() - startedAt)
      return outcome
    } catch (error) {
      await recorder.finish()
      if (this.#stop.signal.aborted) return await this.#giveBack(job, token, facts)
      throw await this.#failed(job, facts, { error, durationMs: Date.now() - startedAt })
    }
  }

  async #ended(
    job: ReplicationJob,
    { upstream, request }: JobFacts,
    outcome: Outcome,
  ): Promise<void> {
    const { connection, queue } = this.#options
    await rememberEnding(connection, queue, job, outcome.kind)
    if (outcome.kind === 'not-found') await this.#limits.take(request)
    // Refused: mostly before upstream was asked.
    if (outcome.kind === 'refused') return
    await noteChecked(connection, request)
    await recordSuccess(connection, upstream)
  }

  async #giveBack(job: ReplicationJob, token: string, facts: JobFacts): Promise<never> {
    return await giveBack(job, token, () => {
      this.#options.listener.handedBack(facts)
    })
  }

  async #failed(
    job: ReplicationJob,
    facts: JobFacts,
    failure: Omit<JobFailure, 'retryInMs'>,
  ): Promise<Error> {
    const { connection, queue, listener, jobs } = this.#options
    const { error } = failure
    const last = dispositionOf(error) === 'permanent' || facts.attempt >= (job.opts.attempts ?? 1)
    if (last) {
      await rememberEnding(connection, queue, job, 'failed')
      await forgetCheck(connection, facts.request)
    }
    const retryAfterMs = retryAfterOf(error)
    if (retryAfterMs > 0) {
      // Without Redis nobody can start anything either.
      await queue.rateLimit(retryAfterMs).catch((cause: unknown) => {
        listener.connectionError(new Error('cannot hold the upstream', { cause }))
      })
      listener.held(facts.upstream, retryAfterMs)
    }
    const jobError = asJobError(error)
    await recordFailure(connection, facts.upstream, jobError.message)
    await job.log(`attempt ${facts.attempt} failed: ${jobError.message}`)
    const retryInMs = delayBeforeRetry(facts.attempt, error, jobs())
    this.#delays.set(jobError, retryInMs)
    listener.failed(facts, { ...failure, ...(!last && { retryInMs }) })
    return jobError
  }
}
