import { setTimeout as delay } from 'node:timers/promises'
import { findJob, type JobRecord } from './job-records.ts'
import type { ReplicationQueues } from './queues.ts'

const POLL_MS = 250

/**
 * Resolves when the job has completed or failed; `undefined` when it is gone.
 *
 * @throws the signal's reason when it is aborted first; the job goes on
 */
export async function waitForJob(
  queues: ReplicationQueues,
  id: string,
  signal: AbortSignal,
  onChange: (record: JobRecord) => void,
): Promise<JobRecord | undefined> {
  for (;;) {
    signal.throwIfAborted()
    const found = await findJob(queues, id)
    if (found === undefined) return undefined
    onChange(found.record)
    if (found.record.state === 'completed' || found.record.state === 'failed') return found.record
    await delay(POLL_MS, undefined, { signal })
  }
}
