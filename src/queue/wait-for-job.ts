import { setTimeout as delay } from 'node:timers/promises'
import { findJob, type JobRecord } from './job-records.ts'
import type { ReplicationQueues } from './queues.ts'

const POLL_MS = 250

export interface WaitOptions {
  readonly signal: AbortSignal
  readonly onChange?: (record: JobRecord) => void
  /** Whether that is as good as an end; only an end is, unless told. */
  readonly isEnough?: (record: JobRecord) => boolean
  /** How often Redis is asked, in milliseconds; 250 unless told. */
  readonly everyMs?: number
}

/**
 * Resolves when the job has completed or failed, or as told; `undefined` when it is gone.
 *
 * @param everyMs how often Redis is asked, 250 unless told
 * @throws the signal's reason when it is aborted first; the job goes on
 */
export async function waitForJob(
  queues: ReplicationQueues,
  id: string,
  { signal, onChange, isEnough = isEnded, everyMs = POLL_MS }: WaitOptions,
): Promise<JobRecord | undefined> {
  for (;;) {
    signal.throwIfAborted()
    const found = await findJob(queues, id)
    if (found === undefined) return undefined
    onChange?.(found.record)
    if (isEnough(found.record)) return found.record
    await delay(everyMs, undefined, { signal })
  }
}

/** The job has completed, or failed for good. */
export function isEnded({ state }: JobRecord): boolean {
  return state === 'completed' || state === 'failed'
}

/** It has failed at least once, and waits to be tried again. */
export function waitsForRetry({ state, attemptsMade }: JobRecord): boolean {
  return state === 'delayed' && attemptsMade > 0
}
