import type { Redis } from 'ioredis'
import type { Digest } from '../oci/digest.ts'
import { parseRepository, type Repository } from '../oci/reference.ts'
import type { BlobLease, BlobLedger, KnownBlob } from '../replication/graph/blob-ledger.ts'
import type { TransferState } from '../replication/pace/patience.ts'
import type { UploadCheckpoint } from '../replication/ports.ts'
import { unlessRedisFails } from './redis-errors.ts'

/** A dead worker's blobs are free again after this; a heartbeat comes three times as often. */
const LEASE_MS = 6_000
const BEAT_MS = LEASE_MS / 3
/** More would be tried in vain, one after the other, when a registry has lost them all. */
const MAX_HOLDERS = 4
/** Registries keep layers for as long as a tag needs them; what nobody used for a month is guesswork. */
const REMEMBERED_SECONDS = 30 * 24 * 3_600

/** Registries purge uploads that nobody continues; distribution does after a week. */
const UPLOAD_SECONDS = 24 * 3_600

// A lease's value is its holder, its bytes so far and its origin, with spaces between.
// Redis' clock may be set back: the lease of a worker that died must not last as long as that.
// KEYS: the lease, the holders.
const LOOK = `
if redis.call('PTTL', KEYS[1]) > ${LEASE_MS} then redis.call('PEXPIRE', KEYS[1], ${LEASE_MS}) end
return {redis.call('GET', KEYS[1]), redis.call('ZREVRANGE', KEYS[2], 0, ${MAX_HOLDERS - 1})}`

// KEYS: the lease, the holders. Gives back those, or nothing while the lease is another's.
const TAKE = `
local held = redis.call('GET', KEYS[1])
local holder = held and string.match(held, '^[^ ]*')
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('ZREVRANGE', KEYS[2], 0, ${MAX_HOLDERS - 1})`

const RELEASE = `
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^[^ ]*') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// As TAKE, of what is still held: one that has lapsed may be somebody else's already.
const RENEW = `
local held = redis.call('GET', KEYS[1])
if not held or string.match(held, '^[^ ]*') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// KEYS: the holders. ARGV: now, who has it.
const LANDED = `
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -${MAX_HOLDERS + 1})
redis.call('EXPIRE', KEYS[1], ${REMEMBERED_SECONDS})`

// KEYS: the holders, the upstreams that gave it, the lease. ARGV: now, who has it, from where, the lease's holder.
const BROUGHT = `${LANDED}
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], ${REMEMBERED_SECONDS})
local held = redis.call('GET', KEYS[3])
if held and string.match(held, '^[^ ]*') == ARGV[4] then redis.call('DEL', KEYS[3]) end`

/**
 * The ledger in Redis. It saves transfers and is not needed for a correct copy: when Redis fails, a
 * blob is brought as if nothing were known of it.
 */
export class RedisBlobLedger implements BlobLedger {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  async look(digest: Digest): Promise<KnownBlob> {
    const keys = [leaseKey(digest), holdersKey(digest)]
    const reply = await this.#attempt([], () => this.#redis.eval(LOOK, keys.length, ...keys))
    const [held, names = []] = reply as [] | readonly [string | null, readonly string[]]
    const coming = transferState(held ?? '')
    return { holders: repositories(names), ...(coming && { coming }) }
  }

  async landed(digest: Digest, repository: Repository): Promise<void> {
    const key = holdersKey(digest)
    await this.#attempt(null, () => this.#redis.eval(LANDED, 1, key, Date.now(), repository))
  }

  async notThere(digest: Digest, repository: Repository): Promise<void> {
    await this.#attempt(0, () => this.#redis.zrem(holdersKey(digest), repository))
  }

  async isGivenBy(digest: Digest, upstream: string): Promise<boolean> {
    const given = await this.#attempt(0, () => this.#redis.sismember(givenKey(digest), upstream))
    return given === 1
  }

  async givenBy(digest: Digest, upstream: string): Promise<void> {
    const key = givenKey(digest)
    await this.#attempt(undefined, () =>
      this.#redis.multi().sadd(key, upstream).expire(key, REMEMBERED_SECONDS).exec(),
    )
  }

  async lease(
    digest: Digest,
    state: TransferState,
    instead?: string,
  ): Promise<BlobLease | undefined> {
    const [key, held, given] = [leaseKey(digest), holdersKey(digest), givenKey(digest)]
    const { holder, origin } = state
    const take = [instead ?? holder, written(state), LEASE_MS]
    const names = await this.#attempt([], () => this.#redis.eval(TAKE, 2, key, held, ...take))
    if (names === null) return undefined
    const renew = () => this.#redis.eval(RENEW, 1, key, holder, written(state), LEASE_MS)
    const beat = setInterval(() => void this.#attempt(0, renew), BEAT_MS)
    let ended = false
    const end = async (how: () => Promise<unknown>) => {
      clearInterval(beat)
      if (!ended) await this.#attempt(0, how)
      ended = true
    }
    return {
      holders: repositories(names as readonly string[]),
      landed: (repository) =>
        end(() => {
          const what = [Date.now(), repository, origin, holder]
          return this.#redis.eval(BROUGHT, 3, held, given, key, ...what)
        }),
      [Symbol.asyncDispose]: () => end(() => this.#redis.eval(RELEASE, 1, key, holder)),
    }
  }

  checkpoint(digest: Digest, repository: Repository): UploadCheckpoint {
    const key = `pullsync:upload:${repository}@${digest}`
    return {
      load: async () => {
        const stored = await this.#attempt({}, () => this.#redis.hgetall(key))
        const [location, offset] = [stored['location'], stored['offset']]
        if (location === undefined) return undefined
        return { location, offset: Number(offset) }
      },
      save: async (state) => {
        await this.#attempt(undefined, () =>
          this.#redis
            .multi()
            .hset(key, { ...state })
            .expire(key, UPLOAD_SECONDS)
            .exec(),
        )
      },
      clear: async () => {
        await this.#attempt(0, () => this.#redis.del(key))
      },
    }
  }

  #attempt<T>(otherwise: T, ask: () => Promise<T>): Promise<T> {
    return unlessRedisFails(otherwise, ask, this.#onError)
  }
}

function repositories(names: readonly string[]): readonly Repository[] {
  return names.flatMap((name) => {
    const repository = parseRepository(name)
    return repository.ok ? [repository.value] : []
  })
}

function transferState(written: string): TransferState | undefined {
  const [holder = '', bytes, origin = ''] = written.split(' ')
  return holder === '' ? undefined : { holder, origin, bytes: Number(bytes) || 0 }
}

function written({ holder, bytes, origin }: TransferState): string {
  return `${holder} ${bytes} ${origin}`
}

function givenKey(digest: Digest): string {
  return `pullsync:given:${digest}`
}

function leaseKey(digest: Digest): string {
  return `pullsync:lease:${digest}`
}

function holdersKey(digest: Digest): string {
  return `pullsync:blob:${digest}`
}
