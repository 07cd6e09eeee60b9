import { DelayedError, WaitingError } from 'bullmq'
import type { ReplicationJob } from './queues.ts'

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
export async function postpone(job: ReplicationJob, token: string, byMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + byMs, token)
  throw new DelayedError()
}
