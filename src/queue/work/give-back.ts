import { DelayedError, WaitingError } from 'bullmq'
import type { BackgroundWait } from '../../pool/pull-allowance.ts'
import type { ReplicationJob } from '../replication-queue.ts'
import type { RightOptions } from './holding-right.ts'

/** To the queue, as if it had not been taken: it loses no attempt. */
export async function giveBack(
  job: ReplicationJob,
  token: string,
  done: () => void = () => undefined,
): Promise<never> {
  await job.moveToWait(token)
  done()
  throw new WaitingError()
}

/** To the queue for later; it loses no attempt. */
export async function postpone(job: ReplicationJob, token: string, waitMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMs, token)
  throw new DelayedError()
}

/** For later, because the upstream gives few more pulls; the job's log says so. */
export async function putOff(
  job: ReplicationJob,
  token: string,
  { waitMs, remaining, limit }: BackgroundWait,
): Promise<never> {
  const until = new Date(Date.now() + waitMs).toISOString()
  await job.log(
    `put off until ${until}: the upstream gives ${remaining} more pulls of ${limit}, which are kept for misses (rateLimitFloor)`,
  )
  return await postpone(job, token, waitMs)
}

// BullMQ counts it when the lock is found to have lapsed, be that before this or after. KEYS: the job.
const NOT_ITS_FAULT = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'stc', -1) end`

/**
 * It is no longer this worker's: whatever becomes of it, others say. It has not killed this one, so that does not
 * count among the workers that it may lose; told to Redis when that is back.
 */
export function leave(
  { id = '' }: ReplicationJob,
  { connection, queue, listener }: Pick<RightOptions, 'connection' | 'queue' | 'listener'>,
): never {
  connection.eval(NOT_ITS_FAULT, 1, queue.toKey(id)).catch(listener.connectionError)
  throw new WaitingError()
}
