import type { Redis } from 'ioredis'
import { EndingRedis, type EndingRedisOptions } from '../ending-redis.ts'

type SendCommand = Parameters<Redis['sendCommand']>

const PREFIX = 'pullsync'
const TAGGED_PREFIX = `{${PREFIX}}`

/**
 * A connection to the node of a Redis Cluster that has pullsync's keys. All of them have the same tag,
 * so that scripts may use any of them together; where they are named, they are named without it.
 */
export class ClusterRedis extends EndingRedis {
  override sendCommand(...[command, stream]: SendCommand): unknown {
    const keys = new Set(command.getKeys())
    command.args = command.args.map((arg) =>
      typeof arg === 'string' && keys.has(arg) ? tagged(arg) : arg,
    )
    return super.sendCommand(command, stream)
  }

  protected override another(options: EndingRedisOptions): ClusterRedis {
    return new ClusterRedis(options)
  }
}

/** What all keys in that Redis begin with, before a colon: also BullMQ's, which makes keys in its scripts. */
export function keyPrefix(redis: Redis): string {
  return redis instanceof ClusterRedis ? TAGGED_PREFIX : PREFIX
}

/** How that key, or the beginning of one, is found among all keys. */
export function storedKey(redis: Redis, key: string): string {
  return redis instanceof ClusterRedis ? tagged(key) : key
}

function tagged(key: string): string {
  return key.startsWith(`${PREFIX}:`) ? TAGGED_PREFIX + key.slice(PREFIX.length) : key
}
