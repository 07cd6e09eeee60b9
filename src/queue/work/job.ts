import type { Hold } from '../../pool/breaker.ts'
import type { Outcome } from '../../replication/outcome.ts'
import type { PendingRequests } from '../../replication/pace/watched-request.ts'
import type { ContentSource } from '../../replication/ports.ts'
import type { WithRightTo } from '../../replication/tag-right.ts'
import type { Progress } from '../../replication/progress.ts'
import type { ReplicationRequest } from '../../replication/request.ts'

/** What a job needs from its surroundings while it runs. */
export interface JobContext {
  readonly id: string
  /** From 1. */
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  /** To keep what the job waits for. */
  readonly asked: PendingRequests
  readonly signal: AbortSignal
  /**
   * To be awaited just before the tag is written or removed.
   * @throws LostRightError when another job may write it now
   */
  readonly confirmRight: () => Promise<void>
  readonly withRightTo: WithRightTo
  /** The same source, asked only while its upstream is not held. */
  readonly guard: (source: ContentSource) => ContentSource
  readonly progress: (progress: Progress) => void
  /** A line in the job's own log, shown by `pullsync jobs show` and the dashboard. */
  readonly log: (line: string) => void
}

export type Replicate = (request: ReplicationRequest, context: JobContext) => Promise<Outcome>

/** Told about every turn in a job's life, for logs and metrics. Must not throw. */
export interface JobListener {
  started(job: JobFacts): void
  ended(job: JobFacts, outcome: Outcome, durationMs: number): void
  failed(job: JobFacts, failure: JobFailure): void
  /** The worker is stopping; another will run the job from where the copy was. */
  handedBack(job: JobFacts): void
  /** The lock on the job lapsed, mostly because Redis was away: another worker runs it, or will. */
  lost(job: JobFacts): void
  /** A registry is held, down or parked from now on, for the whole pool. */
  held(registry: string, hold: Pick<Hold, 'kind' | 'forMs'>): void
  /** It is asked again as always. */
  answersAgain(registry: string): void
  readonly connectionError: (error: Error) => void
}

export interface JobFacts {
  readonly id: string
  readonly upstream: string
  readonly request: ReplicationRequest
  readonly attempt: number
}

export interface JobFailure {
  readonly error: unknown
  readonly durationMs: number
  /** Absent when it is not tried again by itself. */
  readonly retryInMs?: number
}
