import { DelayedError, WaitingError } from 'bullmq'
import type { BackgroundWait } from './pull-allowance.ts'
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

/** To the queue for later, with a word why; it loses no attempt. */
export async function postpone(
  job: ReplicationJob,
  token: string,
  { waitMs, remaining, limit }: BackgroundWait,
): Promise<never> {
  const until = Date.now() + waitMs
  await job.log(
    `put off until ${new Date(until).toISOString()}: the upstream gives ${remaining} more pulls of ${limit}, which are kept for misses (rateLimitFloor)`,
  )
  await job.moveToDelayed(until, token)
  throw new DelayedError()
}
