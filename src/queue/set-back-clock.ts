import type { Redis } from 'ioredis'
import { LOOK_MS, readHold } from '../pool/breaker.ts'
import { keyPrefix } from '../pool/cluster/cluster-redis.ts'
import { LOCK_MS, STALLED_CHECK_MS } from './lost-workers/locks.ts'
import { RESYNC_QUEUE } from './resync/resync-schedule.ts'

const EVERY_MS = 5_000

// KEYS: those of one queue that keep others from its jobs: the limiter, the check for locks that have lapsed, the running
// jobs. ARGV: what its keys begin with, for how long each of the three may last.
const SHORTEN = `
local function within(key, ms)
  if redis.call('PTTL', key) > tonumber(ms) then redis.call('PEXPIRE', key, ms) end
end
within(KEYS[1], ARGV[2])
within(KEYS[2], ARGV[3])
for _, job in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do within(ARGV[1] .. job .. ':lock', ARGV[4]) end`

export interface SetBackClockOptions {
  readonly connection: Redis
  readonly upstreams: () => Iterable<string>
  readonly onError: (error: Error) => void
  readonly everyMs?: number
}

/**
 * What BullMQ lets lapse in seconds lasts as long as Redis' clock is set back meanwhile: locks of jobs whose worker died,
 * the check for them, and the wait for an upstream that is held. Looks again and again whether any of it lasts longer than it may.
 */
export class SetBackClock implements Disposable {
  readonly #options: SetBackClockOptions
  readonly #timer: NodeJS.Timeout
  #looking = false

  constructor(options: SetBackClockOptions) {
    this.#options = options
    this.#timer = setInterval(this.#look, options.everyMs ?? EVERY_MS).unref()
  }

  /** Nobody waits for the last look, which may be waiting for Redis. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  readonly #look = (): void => {
    if (this.#looking || this.#options.connection.status !== 'ready') return
    this.#looking = true
    void this.#shortenAll()
      .catch(this.#options.onError)
      .finally(() => {
        this.#looking = false
      })
  }

  async #shortenAll(): Promise<void> {
    const { connection, upstreams } = this.#options
    for (const upstream of upstreams()) {
      const hold = await readHold(connection, upstream)
      await shorten(connection, upstream, Math.max(hold?.forMs ?? 0, LOOK_MS))
    }
    await shorten(connection, RESYNC_QUEUE, LOOK_MS)
  }
}

async function shorten(redis: Redis, queue: string, heldMs: number): Promise<void> {
  const prefix = `${keyPrefix(redis)}:${queue}:`
  const keys = ['limiter', 'stalled-check', 'active'].map((name) => prefix + name)
  await redis.eval(SHORTEN, keys.length, ...keys, prefix, heldMs, STALLED_CHECK_MS, LOCK_MS)
}
