import type { Redis } from 'ioredis'

/** Shorter ones, as a restart is, cost no event: senders try once more for longer than that. */
const OUTAGE_MS = 60_000
/** After more than that it is as if there had been nothing before. */
const KEPT_MS = 30 * 24 * 3_600_000

// KEYS: when events could last be taken; since when some may have been missed. ARGV: how long an outage
// is, and for how long both are kept.
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = tonumber(redis.call('GET', KEYS[1]) or '')
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[2])
if last and now - last > tonumber(ARGV[1]) then
  redis.call('SET', KEYS[2], string.format('%.0f', last), 'NX', 'PX', ARGV[2])
end
return redis.call('GET', KEYS[2])`

const CAUGHT_UP = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

const SEEN_KEY = 'pullsync:serving'
const MISSED_KEY = 'pullsync:missed-since'

/**
 * When the pool, with its Redis, was last there to take events; on Redis' clock. An outage is told to
 * whoever beats, of any process, until somebody has seen to it.
 */
export class LastSeen {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Since when events may have been missed, in milliseconds since 1970; undefined when none were. */
  async beat(): Promise<number | undefined> {
    const since = await this.#redis.eval(BEAT, 2, SEEN_KEY, MISSED_KEY, OUTAGE_MS, KEPT_MS)
    return since === null ? undefined : Number(since)
  }

  async caughtUp(since: number): Promise<void> {
    await this.#redis.eval(CAUGHT_UP, 1, MISSED_KEY, since)
  }
}
