import type { JobFacts, JobListener } from '../src/queue/job-worker.ts'
import type { AllowanceListener } from '../src/queue/pull-allowance.ts'
import { dispositionOf } from '../src/queue/retry.ts'
import type { JobFacts as ReportedJob } from '../src/telemetry/report-jobs.ts'
import type { Reporter } from '../src/telemetry/report.ts'

/** Every turn in a job's life as log line and metric. */
export function reportingListener(reporter: Reporter): JobListener & AllowanceListener {
  return {
    started(job) {
      reporter.jobStarted(reported(job), { attempt: job.attempt })
    },
    ended(job, outcome, durationMs) {
      reporter.jobEnded(reported(job), { outcome, durationMs })
    },
    failed(job, { error, durationMs, retryInMs }) {
      reporter.jobFailed(reported(job), {
        error,
        disposition: dispositionOf(error),
        attempt: job.attempt,
        willRetry: retryInMs !== undefined,
        nextAttemptInMs: retryInMs,
        durationMs,
      })
    },
    handedBack(job) {
      reporter.jobHandedBack(reported(job))
    },
    held(upstream, retryAfterMs) {
      reporter.upstreamHeld({ upstream, retryAfterMs })
    },
    pullAllowance(upstream, { limit, remaining }) {
      reporter.pullAllowance({ upstream, limit, remaining })
    },
    connectionError(error) {
      reporter.redisFailed({ reason: error.message })
    },
  }
}

function reported({ id, upstream, request }: JobFacts): ReportedJob {
  const { eventId, repository, reference, trigger } = request
  return { jobId: id, eventId, upstream, repository, reference, trigger }
}
