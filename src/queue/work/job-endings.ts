import type { Redis } from 'ioredis'
import type { JobsConfig, MissLimitsConfig } from '../../config/config.ts'
import { formatImageName } from '../../oci/reference.ts'
import { type Breakers, LOCAL, MAX_RETRY_AFTER_MS, parkedName } from '../../pool/breaker.ts'
import { MissLimits } from '../../pool/miss-limits.ts'
import { forgetCheck, noteChecked } from '../../pool/tag-checks.ts'
import { recordFailure, recordRefusal, recordSuccess } from '../../pool/upstream-health.ts'
import { ReplicationError, TagBusyError } from '../../replication/errors.ts'
import type { Outcome } from '../../replication/outcome.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { announceHeld, noteReason, rememberEnding } from '../endings.ts'
import { inOwnWords } from '../lost-workers/lost-too-often.ts'
import { parsePayload } from '../payload.ts'
import type { ReplicationJob, ReplicationQueue } from '../replication-queue.ts'
import { hasLongNames, shortened } from '../stored-request.ts'
import type { JobFacts, JobFailure, JobListener } from './job.ts'
import { HeldError, RegistryGuard } from './registry-guard.ts'
import { asJobError, delayBeforeRetry, dispositionOf, PARKED_MS } from './retry.ts'
import { messageOf } from '../../thrown.ts'

/** A job that waits for the local registry looks no sooner again. */
const LOCAL_LOOK_MS = 1_000
/** A job whose tag another one writes looks again after so long whether that has ended; so does one that has not ended here. */
export const TAG_BUSY_MS = 500

export interface JobEndingsOptions {
  readonly upstream: string
  readonly breakers: Breakers
  readonly queue: ReplicationQueue
  readonly connection: Redis
  readonly jobs: () => JobsConfig
  readonly misses: () => MissLimitsConfig
  readonly listener: JobListener
}

/** What is kept of how the jobs of one upstream end, and when those that failed are tried again. */
export class JobEndings {
  readonly #options: JobEndingsOptions
  readonly #limits: MissLimits
  /** What was said of a failed attempt is what happens: BullMQ asks for the delay a moment later. */
  readonly #delays = new WeakMap<Error, number>()

  constructor(options: JobEndingsOptions) {
    this.#options = options
    this.#limits = new MissLimits(options.connection, options.misses)
  }

  delayAfter(attemptsMade: number, error?: Error): number {
    const told = error && this.#delays.get(error)
    return told ?? delayBeforeRetry(attemptsMade, error, this.#options.jobs())
  }

  guard(job: ReplicationJob, request: ReplicationRequest): RegistryGuard {
    const { breakers, queue, upstream, listener } = this.#options
    return new RegistryGuard(breakers, {
      opened: async (registry, hold) => {
        if (registry === upstream) await queue.rateLimit(hold.forMs)
        listener.held(registry, hold)
      },
      closed: (registry) => {
        listener.answersAgain(registry)
        // Without Redis nobody can start anything either.
        if (registry === upstream) queue.removeRateLimitKey().catch(listener.connectionError)
      },
      found: () => {
        this.#giveBack(job, request).catch(listener.connectionError)
      },
    })
  }

  async ended(
    job: ReplicationJob,
    { upstream, request }: JobFacts,
    outcome: Outcome,
    guard: RegistryGuard,
  ): Promise<void> {
    const { connection, queue } = this.#options
    const wrote = outcome.kind === 'copied' ? [parkedName(request.repository)] : []
    await guard.ended([LOCAL, ...wrote])
    await rememberEnding(connection, queue, job, outcome.kind)
    if (outcome.kind === 'not-found') await this.#limits.take(request)
    else if (!guard.found) await this.#giveBack(job, request)
    if (outcome.kind === 'refused') {
      if (outcome.failure) await recordRefusal(connection, upstream, outcome.reason)
      // Mostly before upstream was asked.
      return
    }
    const sinceLook = guard.sinceLook()
    if (sinceLook !== undefined) await noteChecked(connection, request, sinceLook)
    await recordSuccess(connection, upstream)
  }

  /**
   * For how many milliseconds the job is put off because a registry is not asked by anybody now, or
   * another job writes a tag that it needs: that costs it no attempt. 0: it has failed.
   */
  async heldFor(
    job: ReplicationJob,
    { upstream, request }: JobFacts,
    error: unknown,
    guard: RegistryGuard,
  ): Promise<number> {
    if (error instanceof TagBusyError) {
      await guard.left()
      // Those that met each other are not to meet again.
      return Math.round(TAG_BUSY_MS * (0.5 + Math.random()))
    }
    const held = error instanceof HeldError ? error : await this.#noted(request, error, guard)
    const { forMs, registry } = held
    const { connection, queue } = this.#options
    await guard.left()
    if (forMs === 0 || registry === undefined) return 0
    const reason = messageOf(error)
    // In a long outage it comes here again and again, as all that wait do.
    if (job.failedReason !== reason) await job.log(`put off for ${forMs} ms: ${reason}`)
    await noteReason(connection, queue, job, reason)
    if (registry !== upstream) return Math.round(Math.max(forMs, LOCAL_LOOK_MS) * jitter())
    await queue.rateLimit(forMs)
    await announceHeld(connection, job, held)
    // Behind those that have not been tried: the next probe is another image.
    return error instanceof HeldError ? 1 : Math.round(forMs * jitter())
  }

  /** Tells the pool what a failure says of a registry, and for how long that is not asked now. */
  async #noted(request: ReplicationRequest, error: unknown, guard: RegistryGuard) {
    const outage = error instanceof ReplicationError ? error.outage : undefined
    if (outage === undefined) return NOT_HELD
    const image = formatImageName(request.repository, request.reference)
    const { side, kind, retryAfterMs } = outage
    const isParked = side === 'local' && kind === 'parked'
    const registry = isParked ? parkedName(request.repository) : outage.registry
    const atLeast = isParked ? PARKED_MS : Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)
    const reason = messageOf(error)
    const named = { ...outage, registry, retryAfterMs: atLeast }
    const forMs = await guard.failed(named, { reason, image })
    if (forMs > 0) await recordFailure(this.#options.connection, this.#options.upstream, reason)
    return { forMs, registry, kind }
  }

  /** What it took when it was let in, it took once: the job's next run reads that it has it back. */
  async #giveBack(job: ReplicationJob, request: ReplicationRequest): Promise<void> {
    if (!this.#limits.hasPaid(request)) return
    const unpaid = shortened({ ...request, unpaid: true }, this.#options.upstream)
    // A worker of an earlier version may take it next.
    await job.updateData(hasLongNames(job.data) ? { ...job.data, unpaid: true } : unpaid)
    await this.#limits.giveBack(request)
  }

  /** To be told of every failed job: some BullMQ fails without running them, for the workers that they have lost. */
  readonly lostTooOften = (job?: ReplicationJob): void => {
    if (!job?.deferredFailure) return
    const { upstream, listener } = this.#options
    const { id = '', attemptsMade: attempt } = job
    const request = parsePayload(job, upstream)
    if (!request.ok) return
    const error = new ReplicationError(inOwnWords(job.deferredFailure), {
      disposition: 'permanent',
    })
    listener.failed({ id, upstream, request: request.value, attempt }, { error, durationMs: 0 })
  }

  /** The error that BullMQ is to get. */
  async failed(
    job: ReplicationJob,
    facts: JobFacts,
    failure: Omit<JobFailure, 'retryInMs'>,
    guard: RegistryGuard,
  ): Promise<Error> {
    const { connection, queue, listener, jobs } = this.#options
    const { error } = failure
    const last = dispositionOf(error) === 'permanent' || facts.attempt >= (job.opts.attempts ?? 1)
    if (last) {
      await rememberEnding(connection, queue, job, 'failed')
      await forgetCheck(connection, facts.request)
    }
    if (!guard.found) await this.#giveBack(job, facts.request)
    const jobError = asJobError(error)
    await recordFailure(connection, facts.upstream, jobError.message)
    await job.log(`attempt ${facts.attempt} failed: ${jobError.message}`)
    const retryInMs = delayBeforeRetry(facts.attempt, error, jobs())
    this.#delays.set(jobError, retryInMs)
    listener.failed(facts, { ...failure, ...(!last && { retryInMs }) })
    return jobError
  }
}

const NOT_HELD = { forMs: 0, registry: undefined, kind: 'held' } as const

/** Not all of them at the same moment, and none too early. */
function jitter(): number {
  return 1 + Math.random() / 10
}
