import type { Redis } from 'ioredis'
import type { ReplicationQueue } from '../replication-queue.ts'

/** The priority of the job that is next, undefined when none waits. */
export async function priorityOfNext(
  redis: Redis,
  queue: ReplicationQueue,
): Promise<number | undefined> {
  const [id] = await redis.zrange(queue.toKey('prioritized'), '0', '0')
  if (id === undefined) return undefined
  const priority = await redis.hget(queue.toKey(id), 'priority')
  return priority === null ? undefined : Number(priority)
}
