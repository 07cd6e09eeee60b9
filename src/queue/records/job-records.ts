import type { Outcome } from '../../replication/outcome.ts'
import type { Progress } from '../../replication/progress.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { inOwnWords } from '../lost-workers/lost-too-often.ts'
import { parsePayload } from '../payload.ts'
import type { ReplicationQueues } from '../queues.ts'
import type { ReplicationJob, ReplicationQueue } from '../replication-queue.ts'
import { parseProgress } from './recorded-progress.ts'

export const JOB_STATES = ['failed', 'active', 'waiting', 'delayed', 'completed'] as const
export type JobState = (typeof JOB_STATES)[number]

/** A job as people look at it. Times are milliseconds since 1970. */
export interface JobRecord {
  readonly id: string
  readonly upstream: string
  readonly state: JobState
  /** Absent when the payload is not one of this version. */
  readonly request?: ReplicationRequest
  readonly attemptsMade: number
  readonly attempts: number
  readonly progress?: Progress
  readonly outcome?: Outcome
  readonly failedReason?: string
  readonly addedAt: number
  readonly startedAt?: number
  readonly finishedAt?: number
  /** When a delayed job is due. */
  readonly dueAt?: number
}

export interface JobFilter {
  readonly states: readonly JobState[]
  readonly upstream?: string
  /** True for the image names (`team/app:1.0`) that are wanted. */
  readonly matches: (record: JobRecord) => boolean
  readonly limit: number
}

// BullMQ keeps waiting jobs with a priority apart from those without, and paused ones under `wait`.
const TYPES = {
  failed: ['failed'],
  active: ['active'],
  waiting: ['prioritized', 'wait'],
  delayed: ['delayed'],
  completed: ['completed'],
} as const satisfies Record<JobState, readonly string[]>

const MAX_PAGE = 500

/** The newest first. Reads page by page, so that a filter finds the old ones in a long queue too. */
export async function listJobs(
  queues: ReplicationQueues,
  filter: JobFilter,
): Promise<readonly JobRecord[]> {
  const wanted = queues
    .all()
    .filter(([upstream]) => filter.upstream === undefined || filter.upstream === upstream)
  const found: JobRecord[] = []
  for (const [upstream, queue] of wanted) {
    for (const state of filter.states) {
      const source = { upstream, queue, attempts: queues.attempts }
      found.push(...(await listState(source, state, filter)))
    }
  }
  return found.sort((a, b) => latest(b) - latest(a)).slice(0, filter.limit)
}

/** What of the queue goes into each of its jobs' records. */
interface Source extends Pick<JobRecord, 'upstream' | 'attempts'> {
  readonly queue: ReplicationQueue
}

async function listState(
  source: Source,
  state: JobState,
  { matches, limit }: JobFilter,
): Promise<readonly JobRecord[]> {
  const found: JobRecord[] = []
  // No more than are wanted where all match, and larger and larger pages where few do.
  let size = Math.min(limit, MAX_PAGE)
  for (let start = 0; found.length < limit; start += size, size = Math.min(2 * size, MAX_PAGE)) {
    const page = await source.queue.getJobs([...TYPES[state]], start, start + size - 1)
    found.push(...page.map((job) => jobRecord(source, job, state)).filter(matches))
    if (page.length < size) break
  }
  return found.slice(0, limit)
}

export interface FoundJob {
  readonly queue: ReplicationQueue
  readonly job: ReplicationJob
  readonly record: JobRecord
}

export async function findJob(
  queues: ReplicationQueues,
  id: string,
): Promise<FoundJob | undefined> {
  for (const [upstream, queue] of queues.all()) {
    // The state first: a job that ends between the two is then seen a little too young, never as ended
    // without its outcome.
    const state = stateOf(await queue.getJobState(id))
    const job = await queue.getJob(id)
    if (job === undefined) continue
    const { attempts } = queues
    return { queue, job, record: jobRecord({ upstream, queue, attempts }, job, state) }
  }
  return undefined
}

/** The job's own log, oldest line first; at most the last 1,000 lines. */
export async function readJobLog({ queue, record }: FoundJob): Promise<readonly string[]> {
  const { logs } = await queue.getJobLogs(record.id, 0, 999, false)
  return logs.reverse()
}

function jobRecord(
  { upstream, attempts }: Source,
  job: ReplicationJob,
  state: JobState,
): JobRecord {
  const request = parsePayload(job, upstream)
  const progress = parseProgress(job.progress)
  return {
    id: job.id ?? '',
    upstream,
    state,
    attemptsMade: job.attemptsMade,
    attempts,
    addedAt: job.timestamp,
    ...(request.ok && { request: request.value }),
    ...(progress && { progress }),
    ...(isOutcome(job.returnvalue) && { outcome: job.returnvalue }),
    ...(job.failedReason && { failedReason: inOwnWords(job.failedReason) }),
    ...(job.processedOn !== undefined && { startedAt: job.processedOn }),
    ...(job.finishedOn !== undefined && { finishedAt: job.finishedOn }),
    ...(state === 'delayed' && { dueAt: job.timestamp + job.delay }),
  }
}

function stateOf(state: string): JobState {
  return JOB_STATES.find((known) => TYPES[known].some((type) => type === state)) ?? 'waiting'
}

function latest({ finishedAt, startedAt, addedAt }: JobRecord): number {
  return finishedAt ?? startedAt ?? addedAt
}

function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && 'kind' in value
}
