import type { Redis } from 'ioredis'

const REFUSALS_KEPT_SECONDS = 3_600

/** How an upstream has been answering lately, as its jobs saw it. Times are milliseconds since 1970. */
export interface UpstreamHealth {
  readonly lastSuccessAt?: number
  readonly lastFailureAt?: number
  readonly lastFailure?: string
}

export async function recordSuccess(redis: Redis, upstream: string): Promise<void> {
  await redis.hset(healthKey(upstream), { lastSuccessAt: Date.now() })
}

export async function recordFailure(
  redis: Redis,
  upstream: string,
  failure: string,
): Promise<void> {
  await redis.hset(healthKey(upstream), { lastFailureAt: Date.now(), lastFailure: failure })
}

/** A job has ended, and its image is not to be had unless somebody changes something. */
export async function recordRefusal(redis: Redis, upstream: string, reason: string): Promise<void> {
  await recordFailure(redis, upstream, `refused: ${reason}`)
  const key = refusalsKey(upstream, minuteOf(Date.now()))
  await redis.multi().incr(key).expire(key, REFUSALS_KEPT_SECONDS).exec()
}

/** How many were recorded in the last full minutes. */
export async function countRefusals(
  redis: Redis,
  upstream: string,
  minutes: number,
): Promise<number> {
  const now = minuteOf(Date.now())
  const keys = Array.from({ length: minutes }, (_, n) => refusalsKey(upstream, now - 1 - n))
  const counts = await redis.mget(keys)
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0)
}

export async function readHealth(redis: Redis, upstream: string): Promise<UpstreamHealth> {
  const stored = await redis.hgetall(healthKey(upstream))
  return {
    ...(stored['lastSuccessAt'] && { lastSuccessAt: Number(stored['lastSuccessAt']) }),
    ...(stored['lastFailureAt'] && { lastFailureAt: Number(stored['lastFailureAt']) }),
    ...(stored['lastFailure'] && { lastFailure: stored['lastFailure'] }),
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000)
}

function refusalsKey(upstream: string, minute: number): string {
  return `pullsync:refused:${upstream}:${minute}`
}

function healthKey(upstream: string): string {
  return `pullsync:health:${upstream}`
}
