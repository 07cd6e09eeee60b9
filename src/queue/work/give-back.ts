import { DelayedError, WaitingError } from 'bullmq'
import type { BackgroundWait } from '../../pool/pull-allowance.ts'
import type { ReplicationJob } from '../replication-queue.ts'

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

/** It is no longer this worker's: whatever becomes of it, others say. */
export function leave(): never {
  throw new WaitingError()
}
