import { endHold, parkedName } from '../../pool/breaker.ts'
import { claimDeduplication } from '../endings.ts'
import { type FoundJob, findJob } from './job-records.ts'
import type { ReplicationQueues } from '../queues.ts'

/** What became of one job that was to be changed. */
export type ActionResult =
  | { readonly id: string; readonly done: true }
  | { readonly id: string; readonly done: false; readonly reason: string }

/** Runs a failed job again, with all its attempts, or one that waits for its next attempt now. */
export async function retryJob(queues: ReplicationQueues, id: string): Promise<ActionResult> {
  return await act(queues, id, async ({ queue, job, record: { state, request } }) => {
    if (state === 'delayed') {
      // Somebody has made room, or wants to see.
      if (request !== undefined) await endHold(queues.redis, parkedName(request.repository))
      await job.promote()
      return undefined
    }
    if (state !== 'failed') return `it is ${state}; only failed and delayed jobs can be run again`
    await claimDeduplication(queues.redis, queue, job)
    // BullMQ's count of the workers that it has lost: it may lose as many again.
    await queues.redis.hdel(queue.toKey(id), 'stc')
    await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
    return undefined
  })
}

/** Drops a job that is not running. */
export async function removeJob(queues: ReplicationQueues, id: string): Promise<ActionResult> {
  return await act(queues, id, async ({ job, record: { state } }) => {
    if (state === 'active') return 'it is active; pause the upstream and wait, or let it end'
    await job.remove()
    return undefined
  })
}

async function act(
  queues: ReplicationQueues,
  id: string,
  action: (found: FoundJob) => Promise<string | undefined>,
): Promise<ActionResult> {
  const found = await findJob(queues, id)
  const reason = found === undefined ? 'there is no such job' : await action(found)
  return reason === undefined ? { id, done: true } : { id, done: false, reason }
}
