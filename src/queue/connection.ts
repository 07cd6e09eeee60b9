import { once } from 'node:events'
import type { Redis, RedisOptions } from 'ioredis'
import { EndingRedis } from './ending-redis.ts'

/** A connection to Redis, for parts that only hand it on. */
export type Connection = Redis

/** Reports what a connection says while nobody waits for it; it reconnects by itself. */
export type ConnectionErrorListener = (error: Error) => void

/**
 * For asking and queueing: fails fast, so that a webhook answers 503 while Redis is away and the
 * registry keeps the event. No command waits longer than `COMMAND_TIMEOUT_MS`.
 */
export function openProducerConnection(url: string, onError: ConnectionErrorListener): Redis {
  return open(url, onError, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
  })
}

/** For workers: their commands wait until Redis is back, as BullMQ asks for. */
export function openWorkerConnection(url: string, onError: ConnectionErrorListener): Redis {
  return open(url, onError, { maxRetriesPerRequest: null })
}

/** @throws Error when the connection is not there within `FIRST_CONNECTION_MS`, with the reason */
export async function whenReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  let last = new Error(`no answer within ${FIRST_CONNECTION_MS} ms`)
  const remember = (error: Error) => {
    last = error
  }
  redis.on('error', remember)
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(FIRST_CONNECTION_MS) })
  } catch {
    throw last
  } finally {
    redis.off('error', remember)
  }
}

/**
 * This process's address as others that use the same Redis can reach it: the one by which it reaches
 * Redis itself. Loopback when that is not known, or Redis is reached through a file.
 */
export async function ownAddress(redis: Redis): Promise<string> {
  await whenReady(redis).catch(() => undefined)
  const { stream } = redis as { readonly stream?: { readonly localAddress?: string } }
  return stream?.localAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1'
}

const FIRST_CONNECTION_MS = 2_000

// distribution gives a delivery one second by default: an answer after that is no answer, but the job
// is there when the delivery is repeated. A machine under load is not a Redis that is away.
const COMMAND_TIMEOUT_MS = 2_000

// Replies in the shape that BullMQ expects are the default; the option's type depends on its value.
type Options = Omit<RedisOptions, 'replyMapping'>

function open(url: string, onError: ConnectionErrorListener, options: Options): Redis {
  const common: Options = {
    ...options,
    connectTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
  }
  const redis = url.startsWith('unix://')
    ? new EndingRedis({ ...common, path: decodeURIComponent(new URL(url).pathname) })
    : new EndingRedis(url, common)
  redis.on('error', onError)
  return redis
}
