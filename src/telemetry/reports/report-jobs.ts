import type { Disposition } from '../../replication/errors.ts'
import type { BlobCounts, Outcome, Referrers } from '../../replication/outcome.ts'
import type { Trigger } from '../../replication/request.ts'
import type { Facts } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { type Report, errorFacts, uncounted } from './reporting.ts'

/** Which job; `eventId` is what caused it, the one id that is on every line about it. */
export interface JobFacts {
  readonly eventId: string
  readonly jobId: string
  readonly upstream: string
  readonly repository: string
  readonly reference: string
  readonly trigger: Trigger
}

export interface FailedAttempt {
  readonly error: unknown
  readonly disposition: Disposition
  /** Counted from 1. */
  readonly attempt: number
  readonly willRetry: boolean
  readonly nextAttemptInMs?: number | undefined
  readonly durationMs: number
}

export interface JobReporter {
  jobStarted(job: JobFacts, facts: { readonly attempt: number; readonly waitedMs?: number }): void
  jobEnded(job: JobFacts, ended: { readonly outcome: Outcome; readonly durationMs: number }): void
  jobFailed(job: JobFacts, failed: FailedAttempt): void
  /** This process is stopping; another runs the job from where the copy was. */
  jobHandedBack(job: JobFacts): void
  /** The lock on the job lapsed, mostly because Redis was away: another worker runs it, or will. */
  jobLost(job: JobFacts): void
}

export function reportJobs(report: Report): JobReporter {
  return {
    jobStarted(job, facts) {
      report({
        level: 'info',
        message: 'job started',
        facts: { ...job, ...facts },
        count: uncounted,
      })
    },
    jobEnded(job, { outcome, durationMs }) {
      report({
        level: levelOf(outcome),
        message: 'job ended',
        facts: { ...job, ...outcomeFacts(outcome), durationMs },
        count: (metrics) => {
          countEnded(metrics, { upstream: job.upstream, outcome, durationMs })
        },
      })
    },
    jobFailed(job, { error, willRetry, ...facts }) {
      report({
        level: willRetry ? 'warn' : 'error',
        message: willRetry ? 'job failed, will be tried again' : 'job failed',
        facts: { ...job, ...facts, willRetry, ...errorFacts(error) },
        count: ({ failures, lost }) => {
          failures.inc({ upstream: job.upstream, disposition: facts.disposition })
          if (!willRetry) lost.inc({ upstream: job.upstream })
        },
      })
    },
    jobHandedBack(job) {
      report({ level: 'info', message: 'job handed back', facts: { ...job }, count: uncounted })
    },
    jobLost(job) {
      report({
        level: 'warn',
        message: 'job lost, another worker runs it',
        facts: { ...job },
        count: ({ locksLost }) => {
          locksLost.inc({ upstream: job.upstream })
        },
      })
    },
  }
}

function levelOf(outcome: Outcome): 'info' | 'warn' | 'error' {
  if (isFailure(outcome)) return 'error'
  return 'referrersFailed' in outcome ? 'warn' : 'info'
}

/** Somebody has to look, as after a job that failed. */
function isFailure(outcome: Outcome): boolean {
  return outcome.kind === 'refused' && outcome.failure === true
}

function outcomeFacts(outcome: Outcome): Facts {
  if (outcome.kind === 'copied') {
    // Every line about a job has an "upstream" already: the one of its queue.
    const { kind, upstream: copiedFrom, ...facts } = outcome
    return { outcome: kind, ...facts, copiedFrom }
  }
  const { kind, ...facts } = outcome
  return { outcome: kind, ...facts }
}

interface Ended {
  readonly upstream: string
  readonly outcome: Outcome
  readonly durationMs: number
}

function countEnded(metrics: Metrics, { upstream, outcome, durationMs }: Ended): void {
  metrics.ended.inc({ upstream, outcome: outcome.kind })
  metrics.jobSeconds.observe({ upstream, outcome: outcome.kind }, durationMs / 1_000)
  if (isFailure(outcome)) metrics.lost.inc({ upstream })
  if (outcome.kind === 'copied' || outcome.kind === 'up-to-date') {
    countReferrers(metrics, upstream, outcome)
  }
  if (outcome.kind !== 'copied') return
  // The job's queue is of its first upstream; the image can have come from a later one.
  metrics.bytes.inc({ upstream: outcome.upstream }, outcome.bytes)
  countBlobs(metrics, outcome.upstream, outcome.blobs)
}

function countReferrers(
  metrics: Metrics,
  upstream: string,
  { referrers = 0, referrersFailed = 0 }: Referrers,
): void {
  if (referrers > 0) metrics.referrers.inc({ upstream, how: 'copied' }, referrers)
  if (referrersFailed > 0) metrics.referrers.inc({ upstream, how: 'failed' }, referrersFailed)
}

function countBlobs({ blobs }: Metrics, upstream: string, counts: BlobCounts): void {
  blobs.inc({ upstream, how: 'copied' }, counts.copied)
  blobs.inc({ upstream, how: 'skipped' }, counts.skipped)
  blobs.inc({ upstream, how: 'mounted' }, counts.mounted)
  blobs.inc({ upstream, how: 'non-distributable' }, counts.nonDistributable)
}
