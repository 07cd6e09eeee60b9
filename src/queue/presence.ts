import type { Redis } from 'ioredis'

const BEAT_MS = 5_000
/** Three missed beats, and a worker no longer counts. */
const GONE_AFTER_MS = 3 * BEAT_MS

/** Which workers serve an upstream, by their heartbeats: one sorted set per upstream. */
export class Presence implements AsyncDisposable {
  readonly #redis: Redis
  readonly #worker: string
  readonly #onError: (error: Error) => void
  readonly #counts = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  constructor(redis: Redis, worker: string, onError: (error: Error) => void) {
    this.#redis = redis
    this.#worker = worker
    this.#onError = onError
    this.#timer = setInterval(() => void this.#beatAll(), BEAT_MS).unref()
  }

  async join(upstream: string): Promise<void> {
    this.#counts.set(upstream, 1)
    await this.#beat(upstream).catch(this.#onError)
  }

  /** This worker's part of a limit that holds over all workers; at least 1, so that each can go on. */
  share(upstream: string, limit: number): number {
    return Math.max(1, Math.floor(limit / (this.#counts.get(upstream) ?? 1)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    const leaving = [...this.#counts.keys()].map((upstream) =>
      this.#redis.zrem(presenceKey(upstream), this.#worker),
    )
    await Promise.allSettled(leaving)
  }

  async #beatAll(): Promise<void> {
    for (const upstream of this.#counts.keys()) await this.#beat(upstream).catch(this.#onError)
  }

  async #beat(upstream: string): Promise<void> {
    await this.#redis.zadd(presenceKey(upstream), Date.now(), this.#worker)
    await this.#redis.zremrangebyscore(presenceKey(upstream), 0, Date.now() - GONE_AFTER_MS)
    this.#counts.set(upstream, Math.max(1, await countWorkers(this.#redis, upstream)))
  }
}

/** How many workers serve the upstream now. */
export async function countWorkers(redis: Redis, upstream: string): Promise<number> {
  return await redis.zcount(presenceKey(upstream), Date.now() - GONE_AFTER_MS, '+inf')
}

function presenceKey(upstream: string): string {
  return `pullsync:presence:${upstream}`
}
