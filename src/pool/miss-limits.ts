import type { Redis } from 'ioredis'
import type { BucketConfig, MissLimitsConfig } from '../config/config.ts'
import type { ReplicationRequest } from '../replication/request.ts'

/** Whose bucket is empty. Used as a metrics label. */
export type LimitReason = 'source-limited' | 'repository-limited'

/** Followed by `repository:` or `source:`, and whose bucket it is. */
export const LIMIT_PREFIX = 'pullsync:limit:'

// A bucket is a key whose time to live is how long it takes to be full again, so a full one is no key
// at all. One that is empty goes on to lack more, up to twice what it holds: misses that were queued
// before it was empty would otherwise come on top of the rate. What a repository of an empty bucket
// still brings does not count against the source: its other repositories are not to pay for that one.
const TAKE = `
local function take(key, interval, burst)
  local lack = math.max(redis.call('PTTL', key), 0)
  redis.call('SET', key, 1, 'PX', math.min(lack + interval, 2 * burst * interval))
  return lack > (burst - 1) * interval
end
local empty = take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
if KEYS[2] and not empty then take(KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4])) end`

// Who is told to wait keeps that turn: its end is how long those after it wait.
const TURN = `
local wait = math.max(redis.call('PTTL', KEYS[1]), 0)
if wait > tonumber(ARGV[2]) then return -1 end
redis.call('SET', KEYS[1], 1, 'PX', wait + ARGV[1])
return wait`
/** Between two misses of an empty bucket that pass all the same. */
const TURN_MS = 1_000
/** Nobody waits longer for a turn. */
const LONGEST_WAIT_MS = 2_000

const TIMES_TO_LIVE = `
local times = {}
for i, key in ipairs(KEYS) do times[i] = redis.call('PTTL', key) end
return times`
/** What Redis says of a key that is not there. */
const NO_KEY = -2

type Miss = Pick<
  ReplicationRequest,
  'repository' | 'upstreams' | 'trigger' | 'source' | 'client' | 'replaces'
>

interface Bucket extends BucketConfig {
  readonly key: string
  readonly reason: LimitReason
}

/**
 * Token buckets against noise, over all processes: one for each source and one for each repository of
 * an upstream; of a source that tells its clients apart, for each of these. Only what upstream does not
 * have takes tokens, so misses that bring something are never held back for being many.
 */
export class MissLimits {
  readonly #redis: Redis
  readonly #config: () => MissLimitsConfig

  constructor(redis: Redis, config: () => MissLimitsConfig) {
    this.#redis = redis
    this.#config = config
  }

  /**
   * For each request why it is to be held back, in the same order. Asks Redis once, for misses alone.
   *
   * @param answeredBy a key of Redis: while it is there, the request costs upstream nothing
   */
  async check<Request extends Miss>(
    requests: readonly Request[],
    answeredBy?: (request: Request) => string,
  ): Promise<readonly (LimitReason | undefined)[]> {
    const asked = requests.map((request) => ({
      buckets: this.#bucketsOf(request),
      answer: answeredBy?.(request) ?? '',
    }))
    const keys = new Set(
      asked.flatMap(({ buckets, answer }) =>
        buckets.length === 0 ? [] : [...buckets.map(({ key }) => key), answer],
      ),
    )
    const times = await this.#timesToLive([...keys].filter((key) => key !== ''))
    const timeOf = (key: string) => times.get(key) ?? NO_KEY
    return asked.map(({ buckets, answer }) =>
      timeOf(answer) === NO_KEY
        ? buckets.find((bucket) => isEmpty(bucket, timeOf(bucket.key)))?.reason
        : undefined,
    )
  }

  /** Upstream does not have what was missed. Requests that are no misses take nothing. */
  async take(request: Miss): Promise<void> {
    const buckets = this.#bucketsOf(request)
    if (buckets.length === 0) return
    const keys = buckets.map(({ key }) => key)
    const sizes = buckets.flatMap((bucket) => [intervalOf(bucket), bucket.burst])
    await this.#redis.eval(TAKE, keys.length, ...keys, ...sizes)
  }

  /**
   * Whatever an empty bucket owes, one of its misses passes each second.
   *
   * @returns after how many milliseconds this one may; undefined when that would be too long
   */
  async turn(request: Miss, reason: LimitReason): Promise<number | undefined> {
    const bucket = this.#bucketsOf(request).find((each) => each.reason === reason)
    if (bucket === undefined) return 0
    const key = `${bucket.key}:turns`
    const wait = Number(await this.#redis.eval(TURN, 1, key, TURN_MS, LONGEST_WAIT_MS))
    return wait < 0 ? undefined : wait
  }

  async #timesToLive(keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (keys.length === 0) return new Map()
    const times = (await this.#redis.eval(TIMES_TO_LIVE, keys.length, ...keys)) as number[]
    return new Map(keys.map((key, i) => [key, times[i] ?? NO_KEY]))
  }

  /** The repository's first: it tells more. */
  #bucketsOf(miss: Miss): readonly Bucket[] {
    const { trigger, upstreams, repository, source, client, replaces } = miss
    // What replaces a tag is what upstream was just seen to have.
    if (trigger !== 'miss' || replaces !== undefined) return []
    const { perRepository, perSource } = this.#config()
    const whose = client === undefined ? '' : ` ${client}`
    const ofRepository: Bucket = {
      ...perRepository,
      key: `${LIMIT_PREFIX}repository:${upstreams[0]}/${repository}${whose}`,
      reason: 'repository-limited',
    }
    if (source === undefined) return [ofRepository]
    const key = `${LIMIT_PREFIX}source:${source}${whose}`
    return [ofRepository, { ...perSource, key, reason: 'source-limited' }]
  }
}

/** Less than one token is left. */
function isEmpty(bucket: Bucket, lackMs: number): boolean {
  return lackMs > (bucket.burst - 1) * intervalOf(bucket)
}

/** Until one token is back. Redis counts whole milliseconds. */
function intervalOf({ perSecond }: BucketConfig): number {
  return Math.round(1_000 / perSecond)
}
