import type { Redis } from 'ioredis'

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

export async function readHealth(redis: Redis, upstream: string): Promise<UpstreamHealth> {
  const stored = await redis.hgetall(healthKey(upstream))
  return {
    ...(stored['lastSuccessAt'] && { lastSuccessAt: Number(stored['lastSuccessAt']) }),
    ...(stored['lastFailureAt'] && { lastFailureAt: Number(stored['lastFailureAt']) }),
    ...(stored['lastFailure'] && { lastFailure: stored['lastFailure'] }),
  }
}

function healthKey(upstream: string): string {
  return `pullsync:health:${upstream}`
}
