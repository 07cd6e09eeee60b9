import type { Enqueued } from '../queue/enqueued.ts'
import type { ReplicationRequest } from '../replication/request.ts'

/** The way into the queue. */
export interface Enqueuer {
  /**
   * Resolves once all of them are stored, with one answer per request in the same order; of two that
   * ask for the same, also in one call, the second is a duplicate.
   * @throws QueueUnavailableError when they cannot be stored now
   */
  enqueue(requests: readonly ReplicationRequest[]): Promise<readonly Enqueued[]>
}
