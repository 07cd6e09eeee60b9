import type { JobsConfig } from '../../config/config.ts'
import { isTag } from '../../oci/reference.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import type { ReplicationJob } from '../replication-queue.ts'

/** No more of them are shown to anybody; a job that is put off for weeks would have more and more. */
const LOG_LINES = 1_000

/**
 * How a job is run is its worker's to know, as it is configured now. Kept with each job, it would take a third of
 * the memory of those that wait. Gives how often the job is tried.
 */
export function giveOptions(
  { opts }: ReplicationJob,
  { attempts }: Pick<JobsConfig, 'attempts'>,
): number {
  opts.attempts = attempts
  opts.backoff = { type: 'custom' }
  opts.stackTraceLimit = 0
  opts.keepLogs = LOG_LINES
  return attempts
}

/**
 * A walk makes thousands that end with nothing to tell, and each child of an index that is pushed upstream
 * can make one; what they copy is in the log. How long the others are kept is in the worker's own options.
 */
export function forgetIfPassing({ opts }: ReplicationJob, request: ReplicationRequest): void {
  const { trigger, reference } = request
  if (trigger === 'resync' || (trigger === 'revalidate' && !isTag(reference))) {
    opts.removeOnComplete = true
  }
}

/** Asked again at each end of a job, since the configuration may have changed. */
export function kept(asConfigured: () => JobsConfig['keepFailed']) {
  return {
    get age() {
      return asConfigured().ageMs / 1_000
    },
    get count() {
      return asConfigured().count
    },
  }
}
