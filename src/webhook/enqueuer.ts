import type { Offered } from '../queue/enqueued.ts'
import type { ReplicationRequest } from '../replication/request.ts'

/** The way into the queue. */
export interface Enqueuer {
  /**
   * Resolves once all of them are stored, with one answer per request in the same order; of two that
   * ask for the same, also in one call, the second is a duplicate. Misses can be held back as noise.
   * @throws QueueUnavailableError when they cannot be stored now
   */
  offer(requests: readonly ReplicationRequest[]): Promise<readonly Offered[]>
}
