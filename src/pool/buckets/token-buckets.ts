import type { Redis } from 'ioredis'
import type { BucketConfig } from '../../config/config.ts'

export interface Bucket extends BucketConfig {
  /** Of Redis. */
  readonly key: string
}

/** What is to be let in: all of its buckets have to hold a token. */
export interface Entry<B extends Bucket> {
  readonly buckets: readonly B[]
  /** Whether letting it in takes a token of each. */
  readonly takes: boolean
  /** A key of Redis: while it is there, the entry is let in and takes nothing. */
  readonly freeWhile?: string
}

/** What became of an entry. */
export interface Told<B extends Bucket> {
  /** The bucket that keeps it out. */
  readonly empty: B | undefined
  /** Let in because of its key alone: it took nothing. */
  readonly free: boolean
}

// A bucket is a key whose time to live is how long it takes to be full again, so a full one is no key
// at all. It never lacks more than twice what it holds: what does is from before Redis' clock was set back, or of a smaller rate.
const LACK = `
local function atMost(key, most)
  local left = math.max(redis.call('PTTL', key), 0)
  if left <= most then return left end
  redis.call('PEXPIRE', key, most)
  return most
end
local function lackOf(bucket, interval, burst) return atMost(bucket, 2 * burst * interval) end`

// For each entry the place of the first bucket that is empty, 0, or -1 for what was let in free. One script
// judges and takes: of entries that come at once, over all processes, no more are let in than the bucket
// holds.
const ADMIT = `${LACK}
local key, number, told = 0, 0, {}
local function nextKey() key = key + 1 return KEYS[key] end
local function nextNumber() number = number + 1 return tonumber(ARGV[number]) end
for entry = 1, nextNumber() do
  local count, takes = nextNumber(), nextNumber() == 1
  local free = nextNumber() == 1 and redis.call('EXISTS', nextKey()) == 1
  local empty, full = 0, {}
  for i = 1, count do
    local bucket, interval, burst = nextKey(), nextNumber(), nextNumber()
    local lack = lackOf(bucket, interval, burst)
    if empty == 0 and lack > (burst - 1) * interval then empty = i end
    full[bucket] = lack + interval
  end
  if free then empty = -1 end
  if takes and empty == 0 then
    for bucket, lack in pairs(full) do redis.call('SET', bucket, 1, 'PX', lack) end
  end
  told[entry] = empty
end
return told`

// One that is empty goes on to lack more, up to twice what it holds: what was let in before it was empty
// would otherwise come on top of the rate. What still comes from an empty bucket does not count against
// the next one: what else that one is for is not to pay for it.
const TAKE = `${LACK}
local function take(key, interval, burst)
  local lack = lackOf(key, interval, burst)
  redis.call('SET', key, 1, 'PX', math.min(lack + interval, 2 * burst * interval))
  return lack > (burst - 1) * interval
end
local empty = take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
if KEYS[2] and not empty then take(KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4])) end`

const GIVE_BACK = `
for i, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key) - ARGV[i]
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end`

// Who is told to wait keeps that turn: its end is how long those after it wait.
const TURN = `${LACK}
local wait = atMost(KEYS[1], ARGV[1] + ARGV[2])
if wait > tonumber(ARGV[2]) then return -1 end
redis.call('SET', KEYS[1], 1, 'PX', wait + ARGV[1])
return wait`
/** Between two of an empty bucket that pass all the same. */
const TURN_MS = 1_000
/** Nobody waits longer for a turn. */
const LONGEST_WAIT_MS = 2_000

/** Token buckets in Redis, which all processes share. */
export class TokenBuckets {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** For each entry what became of it, in the same order. */
  async admit<B extends Bucket>(entries: readonly Entry<B>[]): Promise<readonly Told<B>[]> {
    if (entries.every(({ buckets }) => buckets.length === 0)) {
      return entries.map(() => ({ empty: undefined, free: false }))
    }
    const keys = entries.flatMap(({ buckets, freeWhile }) => [
      ...(freeWhile === undefined ? [] : [freeWhile]),
      ...buckets.map(({ key }) => key),
    ])
    const numbers = entries.flatMap(({ buckets, takes, freeWhile }) => [
      ...[buckets.length, takes ? 1 : 0, freeWhile === undefined ? 0 : 1],
      ...buckets.flatMap(sizeOf),
    ])
    const told = await this.#redis.eval(ADMIT, keys.length, ...keys, entries.length, ...numbers)
    const places = told as readonly number[]
    return entries.map(({ buckets }, i) => {
      const place = places[i] ?? 0
      return { empty: buckets[place - 1], free: place < 0 }
    })
  }

  /** A token of the first, whether it holds one or not; of the second, if the first did. */
  async take(buckets: readonly Bucket[]): Promise<void> {
    if (buckets.length === 0) return
    const keys = buckets.map(({ key }) => key)
    await this.#redis.eval(TAKE, keys.length, ...keys, ...buckets.flatMap(sizeOf))
  }

  async giveBack(buckets: readonly Bucket[]): Promise<void> {
    if (buckets.length === 0) return
    const keys = buckets.map(({ key }) => key)
    await this.#redis.eval(GIVE_BACK, keys.length, ...keys, ...buckets.map(intervalOf))
  }

  /**
   * Whatever an empty bucket owes, one passes each second.
   *
   * @returns after how many milliseconds this one may; undefined when that would be too long
   */
  async turn({ key }: Bucket): Promise<number | undefined> {
    const turns = `${key}:turns`
    const wait = Number(await this.#redis.eval(TURN, 1, turns, TURN_MS, LONGEST_WAIT_MS))
    return wait < 0 ? undefined : wait
  }
}

function sizeOf(bucket: Bucket): readonly [intervalMs: number, burst: number] {
  return [intervalOf(bucket), bucket.burst]
}

/** Until one token is back. Redis counts whole milliseconds. */
function intervalOf({ perSecond }: BucketConfig): number {
  return Math.round(1_000 / perSecond)
}
