import type { Redis } from 'ioredis'
import type { ReplicationQueue } from '../replication-queue.ts'

// BullMQ keeps a job's options as they were given: its own id, its priority and its deduplication key once more,
// which stand in fields of their own, too, and are read there. A worker may have been faster, and the job be gone.
const LIGHTEN = `
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'opts', '{}') end
end`

/** Takes from jobs that have just been added what nobody reads any more: a fifth of the memory of each. */
export async function lighten(
  redis: Redis,
  queue: ReplicationQueue,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return
  const keys = ids.map((id) => queue.toKey(id))
  await redis.eval(LIGHTEN, keys.length, ...keys)
}
