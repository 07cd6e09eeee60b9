import { WaitingError } from 'bullmq'
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
