import type { JobFacts, JobListener } from '../src/queue/work/job.ts'
import type { AllowanceListener } from '../src/pool/pull-allowance.ts'
import { redisTrouble } from '../src/pool/redis-errors.ts'
import { dispositionOf } from '../src/queue/work/retry.ts'
import type { JobFacts as ReportedJob } from '../src/telemetry/reports/report-jobs.ts'
import type { Reporter } from '../src/telemetry/reports/report.ts'

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
    lost(job) {
      reporter.jobLost(reported(job))
    },
    held(registry, hold) {
      reporter.registryHeld({ registry, ...hold })
    },
    answersAgain(registry) {
      reporter.registryAnswers({ registry })
    },
    pullAllowance(upstream, { limit, remaining }) {
      reporter.pullAllowance({ upstream, limit, remaining })
    },
    connectionError(error) {
      reporter.redisFailed(redisTrouble(error))
    },
  }
}

function reported({ id, upstream, request }: JobFacts): ReportedJob {
  const { eventId, repository, reference, trigger } = request
  return { jobId: id, eventId, upstream, repository, reference, trigger }
}
