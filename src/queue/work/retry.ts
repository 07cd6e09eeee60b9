import { UnrecoverableError } from 'bullmq'
import type { JobsConfig } from '../../config/config.ts'
import { MAX_RETRY_AFTER_MS } from '../../pool/breaker.ts'
import { type Disposition, ReplicationError } from '../../replication/errors.ts'
import { asError } from '../../thrown.ts'

/** Quotas and read-only modes last; asking every minute only fills logs. */
export const PARKED_MS = 15 * 60_000

/**
 * Milliseconds before the next attempt: doubling, the upper half of it random so that jobs which
 * failed together do not come back together, and never before the registry said.
 *
 * @param attemptsMade how many have failed, from 1
 */
export function delayBeforeRetry(
  attemptsMade: number,
  error: unknown,
  { backoffMs, maxBackoffMs }: Pick<JobsConfig, 'backoffMs' | 'maxBackoffMs'>,
): number {
  const jitter = 0.5 + Math.random() / 2
  const doubled = Math.min(maxBackoffMs, backoffMs * 2 ** (attemptsMade - 1))
  const base = dispositionOf(error) === 'parked' ? PARKED_MS : doubled
  return Math.round(Math.max(base * jitter, retryAfterOf(error) * (1 + Math.random() / 10)))
}

/** What nobody classified is taken for transient: trying again costs little, giving up loses work. */
export function dispositionOf(error: unknown): Disposition {
  return error instanceof ReplicationError ? error.disposition : 'transient'
}

/** How long the registry asked everybody to keep away, in milliseconds; 0 when it did not. */
export function retryAfterOf(error: unknown): number {
  const asked = error instanceof ReplicationError ? (error.retryAfterMs ?? 0) : 0
  return Math.min(asked, MAX_RETRY_AFTER_MS)
}

/** The error as BullMQ has to get it, so that a permanent one is not tried again. */
export function asJobError(error: unknown): Error {
  const known = asError(error)
  if (dispositionOf(error) !== 'permanent') return known
  const unrecoverable = new UnrecoverableError(known.message)
  unrecoverable.cause = known
  return unrecoverable
}
