import { setTimeout as delay } from 'node:timers/promises'
import { findJob, type JobRecord } from './job-records.ts'
import type { ReplicationQueues } from '../queues.ts'

const POLL_MS = 250

export interface WaitOptions {
  readonly signal: AbortSignal
  readonly onChange?: (record: JobRecord) => void
}

/**
 * For a person who looks on. Resolves when the job has completed or failed; `undefined` when it is gone.
 *
 * @throws the signal's reason when it is aborted first; the job goes on
 */
export async function waitForJob(
  queues: ReplicationQueues,
  id: string,
  { signal, onChange }: WaitOptions,
): Promise<JobRecord | undefined> {
  for (;;) {
    signal.throwIfAborted()
    const found = await findJob(queues, id)
    if (found === undefined) return undefined
    onChange?.(found.record)
    if (isEnded(found.record)) return found.record
    await delay(POLL_MS, undefined, { signal })
  }
}

/** The job has completed, or failed for good. */
function isEnded({ state }: JobRecord): boolean {
  return state === 'completed' || state === 'failed'
}
