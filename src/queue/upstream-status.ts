import { readHealth, type UpstreamHealth } from './health.ts'
import { JOB_STATES, type JobState } from './job-records.ts'
import { type PullAllowance, readAllowance } from './pull-allowance.ts'
import { countWorkers } from './presence.ts'
import type { ReplicationQueue, ReplicationQueues } from './queues.ts'

/** One upstream's queue at a glance. */
export interface UpstreamStatus {
  readonly upstream: string
  readonly paused: boolean
  /** For how long the upstream asked to be left alone, in milliseconds; 0 when it did not. */
  readonly heldForMs: number
  readonly counts: Readonly<Record<JobState, number>>
  readonly workers: number
  /** Jobs that ended in the last ten full minutes. */
  readonly recent: { readonly completed: number; readonly failed: number }
  readonly health: UpstreamHealth
  /** Where the upstream counts pulls and has told lately. */
  readonly allowance?: PullAllowance
}

export async function readStatus(queues: ReplicationQueues): Promise<readonly UpstreamStatus[]> {
  return await Promise.all(
    queues.all().map(([upstream, queue]) => readUpstream(queues, upstream, queue)),
  )
}

/** Workers finish what they have and start nothing new from this upstream. */
export async function pauseUpstream(queues: ReplicationQueues, upstream: string): Promise<void> {
  await queues.of(upstream).pause()
}

/** Also ends a wait that the upstream asked for. */
export async function resumeUpstream(queues: ReplicationQueues, upstream: string): Promise<void> {
  await queues.of(upstream).removeRateLimitKey()
  await queues.of(upstream).resume()
}

async function readUpstream(
  queues: ReplicationQueues,
  upstream: string,
  queue: ReplicationQueue,
): Promise<UpstreamStatus> {
  const [counts, paused, heldForMs, workers, health, allowance, completed, failed] =
    await Promise.all([
      readCounts(queue),
      queue.isPaused(),
      queue.getRateLimitTtl(HELD),
      countWorkers(queues.redis, upstream),
      readHealth(queues.redis, upstream),
      readAllowance(queues.redis, upstream),
      queue.getMetrics('completed', 0, RECENT_MINUTES - 1),
      queue.getMetrics('failed', 0, RECENT_MINUTES - 1),
    ])
  return {
    upstream,
    paused,
    heldForMs: Math.max(0, heldForMs),
    counts,
    workers,
    recent: { completed: sum(completed.data), failed: sum(failed.data) },
    health,
    ...(allowance && { allowance }),
  }
}

const RECENT_MINUTES = 10
// What rateLimit() writes; a lower number there only counts the jobs of this second.
const HELD = Number.MAX_SAFE_INTEGER

export async function readCounts(queue: ReplicationQueue): Promise<Record<JobState, number>> {
  const counts = await queue.getJobCounts(
    'failed',
    'active',
    'wait',
    'prioritized',
    'delayed',
    'completed',
  )
  const { failed = 0, active = 0, delayed = 0, completed = 0 } = counts
  const waiting = sum([counts['wait'], counts['prioritized']])
  return { failed, active, waiting, delayed, completed }
}

function sum(numbers: readonly (number | string | undefined)[]): number {
  return numbers.reduce<number>((total, n) => total + Number(n ?? 0), 0)
}

/** How many jobs of each upstream are in each state, for a gauge. */
export async function readDepths(
  queues: ReplicationQueues,
): Promise<readonly { upstream: string; state: JobState; count: number }[]> {
  const counted = queues.all().map(async ([upstream, queue]) => {
    const counts = await readCounts(queue)
    return JOB_STATES.map((state) => ({ upstream, state, count: counts[state] }))
  })
  return (await Promise.all(counted)).flat()
}
