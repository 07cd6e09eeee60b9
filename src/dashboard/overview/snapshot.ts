import { QueueUnavailableError } from '../../pool/redis-errors.ts'
import { Figures, type Minute } from '../../pool/figures.ts'
import { type JobRecord, type JobState, listJobs } from '../../queue/records/job-records.ts'
import { readStatus, type UpstreamStatus } from '../../queue/records/upstream-status.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'

/** What one look at the overview shows. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly upstreams: readonly UpstreamNow[]
  /** What runs, and what is next. */
  readonly coming: readonly JobRecord[]
  readonly failed: readonly JobRecord[]
  /** Jobs that ended without the image: upstream has none, or the local registry refused it. */
  readonly wanting: readonly JobRecord[]
  readonly minutes: readonly Minute[]
}

export type UpstreamNow = UpstreamStatus

const COMING = 25
const FAILED = 500
const ENDED = 500
const WITHIN_MS = 3_000

/** @throws QueueUnavailableError when Redis does not answer within three seconds */
export async function readSnapshot(queues: ReplicationQueues, now = Date.now()): Promise<Snapshot> {
  const signal = AbortSignal.timeout(WITHIN_MS)
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      const cause = new Error(`no answer within ${WITHIN_MS} ms`)
      reject(new QueueUnavailableError('reading the queues', cause))
    })
  })
  late.catch(() => undefined)
  return await Promise.race([read(queues, now), late])
}

async function read(queues: ReplicationQueues, at: number): Promise<Snapshot> {
  const of = (states: readonly JobState[], limit: number) =>
    listJobs(queues, { states, matches: () => true, limit })
  const [statuses, active, waiting, failed, completed, minutes] = await Promise.all([
    readStatus(queues),
    of(['active'], COMING),
    of(['waiting', 'delayed'], COMING),
    of(['failed'], FAILED),
    of(['completed'], ENDED),
    new Figures(queues.redis).read(24, at),
  ])
  const coming = [...active, ...waiting].slice(0, COMING)
  return { at, upstreams: statuses, coming, failed, wanting: completed.filter(isWanting), minutes }
}

// An announcement of what nobody here asked for is no wish.
function isWanting({ outcome, request }: JobRecord): boolean {
  if (request?.onlyIfPresent !== false) return false
  return outcome?.kind === 'not-found' || outcome?.kind === 'refused'
}
