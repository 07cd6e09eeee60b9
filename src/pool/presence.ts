import type { Redis } from 'ioredis'
import { inTime } from '../waiting/in-time.ts'

const BEAT_MS = 5_000
/** Three missed beats, and a worker no longer counts. */
const GONE_AFTER_MS = 3 * BEAT_MS
/** Of workers that were all killed nothing stays. */
const KEPT_MS = 4 * GONE_AFTER_MS

/** A Redis that hangs does not keep a process from its end. */
const LEAVE_WITHIN_MS = 250

interface Place {
  readonly workers: number
  /** From 0, in an order that all workers agree on. */
  readonly rank: number
}

// Redis' own clock: by its own, a process that is ahead would take the others for gone.
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

// Whoever was seen much later than now was seen before that clock was set back, and will be again if it is there.
// KEYS: the upstream's workers. ARGV: this one. Gives back all that are there.
const BEAT = `${NOW}
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ${GONE_AFTER_MS}))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('%.0f', now + ${GONE_AFTER_MS}), '+inf')
redis.call('PEXPIRE', KEYS[1], ${KEPT_MS})
return redis.call('ZRANGE', KEYS[1], 0, -1)`

const COUNT = `${NOW}
return redis.call('ZCOUNT', KEYS[1], string.format('%.0f', now - ${GONE_AFTER_MS}), string.format('%.0f', now + ${GONE_AFTER_MS}))`

const ALONE: Place = { workers: 1, rank: 0 }

/** Which workers serve an upstream, by their heartbeats: one sorted set per upstream. */
export class Presence implements AsyncDisposable {
  readonly #redis: Redis
  readonly #worker: string
  readonly #onError: (error: Error) => void
  readonly #places = new Map<string, Place>()
  readonly #timer: NodeJS.Timeout
  #onChange: () => void = () => undefined
  #beating = false

  constructor(redis: Redis, worker: string, onError: (error: Error) => void, beatMs = BEAT_MS) {
    this.#redis = redis
    this.#worker = worker
    this.#onError = onError
    this.#timer = setInterval(() => void this.#beatAll(), beatMs).unref()
  }

  /** Called when workers have come or gone, so that shares are others now. */
  onChange(changed: () => void): void {
    this.#onChange = changed
  }

  async join(upstream: string): Promise<void> {
    this.#places.set(upstream, ALONE)
    await this.#beat(upstream).catch(this.#onError)
  }

  /**
   * This worker's part of a whole number that holds over all workers; at least 1, so that each can
   * go on. What does not divide evenly goes to the first of them.
   */
  share(upstream: string, limit: number): number {
    const { workers, rank } = this.#placeIn(upstream)
    return Math.max(1, Math.floor(limit / workers) + (rank < limit % workers ? 1 : 0))
  }

  /** This worker's part of something that can be divided at will. */
  fraction(upstream: string): number {
    return 1 / this.#placeIn(upstream).workers
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    // It would wait for Redis. A worker that does not take its leave is gone a little later.
    if (this.#redis.status !== 'ready') return
    const leaving = [...this.#places.keys()].map((upstream) =>
      this.#redis.zrem(presenceKey(upstream), this.#worker),
    )
    await inTime(Promise.allSettled(leaving), LEAVE_WITHIN_MS)
  }

  #placeIn(upstream: string): Place {
    return this.#places.get(upstream) ?? ALONE
  }

  async #beatAll(): Promise<void> {
    // Commands wait while Redis is away; one round of them is enough.
    if (this.#beating) return
    this.#beating = true
    for (const upstream of this.#places.keys()) await this.#beat(upstream).catch(this.#onError)
    this.#beating = false
  }

  async #beat(upstream: string): Promise<void> {
    const beaten = await this.#redis.eval(BEAT, 1, presenceKey(upstream), this.#worker)
    const workers = (beaten as readonly string[]).map(String).sort()
    const place = { workers: Math.max(1, workers.length), rank: workers.indexOf(this.#worker) }
    const before = this.#placeIn(upstream)
    this.#places.set(upstream, place)
    if (before.workers !== place.workers || before.rank !== place.rank) this.#onChange()
  }
}

/** How many workers serve the upstream now. */
export async function countWorkers(redis: Redis, upstream: string): Promise<number> {
  return Number(await redis.eval(COUNT, 1, presenceKey(upstream)))
}

function presenceKey(upstream: string): string {
  return `pullsync:presence:${upstream}`
}
