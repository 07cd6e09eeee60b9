import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { openProducerConnection } from './connection.ts'
import { QueueUnavailableError } from './redis-errors.ts'

/**
 * Resolves once the connection takes commands, which is when Redis has loaded its data.
 * @throws QueueUnavailableError at the first failure, or when the signal is aborted first
 */
export async function waitUntilReady(redis: Redis, signal: AbortSignal): Promise<void> {
  if (redis.status === 'ready') return
  try {
    await once(redis, 'ready', { signal })
  } catch (cause) {
    throw new QueueUnavailableError('connecting to Redis', cause)
  }
}

/** Whether a Redis takes commands at this URL now; asks for at most a second. */
export async function redisAnswers(url: string): Promise<boolean> {
  const redis = openProducerConnection(url, () => undefined)
  try {
    await waitUntilReady(redis, AbortSignal.timeout(1_000))
    await redis.ping()
    return true
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}

/** Ends a Redis that nobody else is connected to; whether it has ended within ten seconds. */
export async function shutDownUnused(url: string): Promise<boolean> {
  const redis = openProducerConnection(url, () => undefined)
  try {
    await waitUntilReady(redis, AbortSignal.timeout(1_000))
    const clients = String(await redis.call('CLIENT', 'LIST', 'TYPE', 'normal')).trim()
    if (clients.split('\n').length > 1) return false
    // It answers by closing the connection once everything is on disk.
    await redis.shutdown().catch(() => undefined)
  } finally {
    redis.disconnect()
  }
  for (let waited = 0; waited < SHUTDOWN_WITHIN_MS; waited += ASK_EVERY_MS) {
    if (!(await redisAnswers(url))) return true
    await delay(ASK_EVERY_MS)
  }
  return false
}

const SHUTDOWN_WITHIN_MS = 10_000
const ASK_EVERY_MS = 100
