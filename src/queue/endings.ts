import type { Redis } from 'ioredis'
import { ENDINGS } from '../pool/announced/announcements.ts'
import type { Hold } from '../pool/breaker.ts'
import type { Outcome } from '../replication/outcome.ts'
import type { ReplicationQueue } from './replication-queue.ts'

/**
 * How long a miss of the same image is answered by how the last job ended, in milliseconds.
 * Without it a thousand nodes that miss at the same moment become a thousand upstream requests:
 * those that arrive after the first job ended would each start another.
 */
export const REMEMBERED_MS: Readonly<Record<Outcome['kind'] | 'failed', number>> = {
  copied: 5_000,
  'up-to-date': 5_000,
  'not-found': 30_000,
  deleted: 30_000,
  refused: 30_000,
  failed: 15_000,
}

// BullMQ drops a deduplication key when its job ends, unless the key has a time to live: then it
// stays until that is over (removeDeduplicationKeyIfNeededOnFinalization). So the key itself is the
// memory, and whether work is queued, running or just ended is decided in one atomic step.
const REMEMBER = `
redis.call('PUBLISH', ARGV[3], ARGV[1] .. ' ' .. ARGV[4])
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`

const CLAIM = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('PTTL', KEYS[1]) == -1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1`

/** When an upstream that is held is tried so soon, whoever waits learns more by waiting. */
export const TRIED_SOON_MS = 2_000

export interface DeduplicatedJob {
  readonly id?: string | undefined
  readonly deduplicationId?: string | undefined
}

/** To be called while the job still runs, just before it ends that way; whoever waits for it is told. */
export async function rememberEnding(
  redis: Redis,
  queue: ReplicationQueue,
  job: DeduplicatedJob,
  ending: keyof typeof REMEMBERED_MS,
): Promise<void> {
  if (job.id === undefined || job.deduplicationId === undefined) return
  const key = deduplicationKey(queue, job.deduplicationId)
  await redis.eval(REMEMBER, 1, key, job.id, REMEMBERED_MS[ending], ENDINGS, ending)
}

/** To be called while the job still runs, just before it is put off because its upstream is held; who waits for it is told. */
export async function announceHeld(
  redis: Redis,
  { id }: DeduplicatedJob,
  { kind, forMs }: Pick<Hold, 'kind' | 'forMs'>,
): Promise<void> {
  if (id !== undefined && forMs > TRIED_SOON_MS)
    await redis.publish(ENDINGS, `${id} ${kind} ${Math.round(forMs)}`)
}

// A job that somebody removes meanwhile must not leave a part of itself behind.
const NOTE_REASON = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'failedReason', ARGV[1]) end`

/** Why a job that spends no attempt is put off: it stands where people look for why an attempt failed. */
export async function noteReason(
  redis: Redis,
  queue: ReplicationQueue,
  { id }: DeduplicatedJob,
  reason: string,
): Promise<void> {
  if (id !== undefined) await redis.eval(NOTE_REASON, 1, queue.toKey(id), reason)
}

/** Makes misses of the same image wait for this job, which is about to run once more. */
export async function claimDeduplication(
  redis: Redis,
  queue: ReplicationQueue,
  job: DeduplicatedJob,
): Promise<void> {
  if (job.id === undefined || job.deduplicationId === undefined) return
  await redis.eval(CLAIM, 1, deduplicationKey(queue, job.deduplicationId), job.id)
}

export function deduplicationKey(queue: ReplicationQueue, id: string): string {
  return queue.toKey(`de:${id}`)
}
