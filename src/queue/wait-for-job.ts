import { setTimeout as delay } from 'node:timers/promises'
import { findJob, type JobRecord } from './job-records.ts'
import type { ReplicationQueues } from './queues.ts'

const POLL_MS = 250

export interface WaitOptions {
  readonly signal: AbortSignal
  readonly onChange?: (record: JobRecord) => void
  /** How often Redis is asked, in milliseconds; 250 unless told. */
  readonly everyMs?: number
}

/**
 * Resolves when the job has completed or failed; `undefined` when it is gone.
 *
 * @param everyMs how often Redis is asked, 250 unless told
 * @throws the signal's reason when it is aborted first; the job goes on
 */
export async function waitForJob(
  queues: ReplicationQueues,
  id: string,
  { signal, onChange, everyMs = POLL_MS }: WaitOptions,
): Promise<JobRecord | undefined> {
  for (;;) {
    signal.throwIfAborted()
    const found = await findJob(queues, id)
    if (found === undefined) return undefined
    onChange?.(found.record)
    if (found.record.state === 'completed' || found.record.state === 'failed') return found.record
    await delay(everyMs, undefined, { signal })
  }
}
