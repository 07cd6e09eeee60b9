import { countRefusals, readHealth, type UpstreamHealth } from '../../pool/upstream-health.ts'
import { endHold, type Hold, readHold } from '../../pool/breaker.ts'
import { JOB_STATES, type JobState } from './job-records.ts'
import { type PullAllowance, readAllowance } from '../../pool/pull-allowance.ts'
import { countWorkers } from '../../pool/presence.ts'
import { type Trigger, TRIGGERS } from '../../replication/request.ts'
import { PRIORITY } from '../priority.ts'
import type { ReplicationQueues } from '../queues.ts'
import type { ReplicationQueue } from '../replication-queue.ts'

/** One upstream's queue at a glance. */
export interface UpstreamStatus {
  readonly upstream: string
  readonly paused: boolean
  /** For how long the upstream asked to be left alone, in milliseconds; 0 when it did not. */
  readonly heldForMs: number
  readonly counts: Readonly<Record<JobState, number>>
  /** The waiting ones, by what asked for them; only those that there are. */
  readonly waitingBy: Readonly<Partial<Record<Trigger, number>>>
  readonly workers: number
  /** Jobs that ended in the last ten full minutes; an image that is refused counts as failed. */
  readonly recent: { readonly completed: number; readonly failed: number }
  readonly health: UpstreamHealth
  /** Nobody asks it now but one probe; why, and until when. */
  readonly hold?: Hold
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
  await endHold(queues.redis, upstream)
  await queues.of(upstream).removeRateLimitKey()
  await queues.of(upstream).resume()
}

async function readUpstream(
  queues: ReplicationQueues,
  upstream: string,
  queue: ReplicationQueue,
): Promise<UpstreamStatus> {
  const [
    counts,
    waitingBy,
    paused,
    heldForMs,
    workers,
    health,
    allowance,
    hold,
    completed,
    failed,
    refused,
  ] = await Promise.all([
    readCounts(queue),
    readWaiting(queue),
    queue.isPaused(),
    queue.getRateLimitTtl(HELD),
    countWorkers(queues.redis, upstream),
    readHealth(queues.redis, upstream),
    readAllowance(queues.redis, upstream),
    readHold(queues.redis, upstream),
    queue.getMetrics('completed', 0, RECENT_MINUTES - 1),
    queue.getMetrics('failed', 0, RECENT_MINUTES - 1),
    countRefusals(queues.redis, upstream, RECENT_MINUTES),
  ])
  return {
    upstream,
    paused,
    heldForMs: Math.max(0, heldForMs),
    counts,
    waitingBy,
    workers,
    recent: {
      // To the queue, a job that was refused has completed.
      completed: Math.max(0, sum(completed.data) - refused),
      failed: sum(failed.data) + refused,
    },
    health,
    ...(hold && { hold }),
    ...(allowance && { allowance }),
  }
}

const RECENT_MINUTES = 10
// What rateLimit() writes; a lower number there only counts the jobs of this second.
const HELD = Number.MAX_SAFE_INTEGER

async function readWaiting(queue: ReplicationQueue): Promise<UpstreamStatus['waitingBy']> {
  const counts = await queue.getCountsPerPriority(Object.values(PRIORITY))
  const some = TRIGGERS.map((trigger) => [trigger, counts[PRIORITY[trigger]] ?? 0] as const).filter(
    ([, count]) => count > 0,
  )
  return Object.fromEntries(some)
}

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
