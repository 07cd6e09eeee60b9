import type { LimitReason } from '../pool/miss-limits.ts'

/** What became of one request that was handed in. */
export interface Enqueued {
  /** The job that does the work: a new one, or the one that was already there for the same image. */
  readonly jobId: string
  /** Nothing new was queued: the same work is queued, running, or ended a moment ago. */
  readonly duplicate: boolean
}

/** A miss that was not queued: too many before it were of what upstream does not have. */
export interface Limited {
  readonly limited: LimitReason
}

export type Offered = Enqueued | Limited

export function isLimited(offered: object): offered is Limited {
  return 'limited' in offered
}
