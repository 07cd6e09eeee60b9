import type { Redis } from 'ioredis'
import type { Digest } from '../oci/digest.ts'
import { parseRepository, type Repository } from '../oci/reference.ts'
import type { BlobLease, BlobLedger, KnownBlob } from '../replication/graph/blob-ledger.ts'
import type { TransferState } from '../replication/pace/patience.ts'
import type { UploadCheckpoint } from '../replication/ports.ts'
import { Together } from '../waiting/together.ts'
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
// KEYS: of each blob, the lease and the holders.
const LOOK = `
local known = {}
for at = 1, #KEYS, 2 do
  local lease = KEYS[at]
  if redis.call('PTTL', lease) > ${LEASE_MS} then redis.call('PEXPIRE', lease, ${LEASE_MS}) end
  local holders = redis.call('ZREVRANGE', KEYS[at + 1], 0, ${MAX_HOLDERS - 1})
  table.insert(known, {redis.call('GET', lease), holders})
end
return known`

// KEYS: of each blob, the lease and the holders. ARGV: the time of a lease; of each, whose may be taken, what is written.
// Gives back the holders, or nothing while the lease is another's.
const TAKE = `
local taken = {}
for at = 1, #KEYS, 2 do
  local held = redis.call('GET', KEYS[at])
  local holder = held and string.match(held, '^[^ ]*')
  if holder and holder ~= ARGV[at + 1] then
    table.insert(taken, false)
  else
    redis.call('SET', KEYS[at], ARGV[at + 2], 'PX', ARGV[1])
    table.insert(taken, redis.call('ZREVRANGE', KEYS[at + 1], 0, ${MAX_HOLDERS - 1}))
  end
end
return taken`

const RELEASE = `
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^[^ ]*') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// Of what is still held: one that has lapsed may be somebody else's already.
const RENEW = `
local held = redis.call('GET', KEYS[1])
if not held or string.match(held, '^[^ ]*') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// KEYS: of each blob, the holders. ARGV: now; of each, who has it.
const LANDED = `
for at, holders in ipairs(KEYS) do
  redis.call('ZADD', holders, ARGV[1], ARGV[at + 1])
  redis.call('ZREMRANGEBYRANK', holders, 0, -${MAX_HOLDERS + 1})
  redis.call('EXPIRE', holders, ${REMEMBERED_SECONDS})
end`

// KEYS: of each blob, the holders, the upstreams that gave it, the lease. ARGV: now; of each, who has it, from where, the lease's holder.
const BROUGHT = `
for at = 1, #KEYS, 3 do
  local holders, given, lease = KEYS[at], KEYS[at + 1], KEYS[at + 2]
  redis.call('ZADD', holders, ARGV[1], ARGV[at + 1])
  redis.call('ZREMRANGEBYRANK', holders, 0, -${MAX_HOLDERS + 1})
  redis.call('EXPIRE', holders, ${REMEMBERED_SECONDS})
  redis.call('SADD', given, ARGV[at + 2])
  redis.call('EXPIRE', given, ${REMEMBERED_SECONDS})
  local held = redis.call('GET', lease)
  if held and string.match(held, '^[^ ]*') == ARGV[at + 3] then redis.call('DEL', lease) end
end`

/** Of one blob in a script that is run for many. */
interface Part {
  readonly keys: readonly string[]
  readonly told: readonly string[]
}

/**
 * The ledger in Redis. It saves transfers and is not needed for a correct copy: when Redis fails, a
 * blob is brought as if nothing were known of it.
 */
export class RedisBlobLedger implements BlobLedger {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void
  readonly #looks: Together<Part, unknown>
  readonly #takes: Together<Part, unknown>
  readonly #landings: Together<Part, unknown>
  readonly #bringings: Together<Part, unknown>

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
    this.#looks = this.#together(LOOK, () => [])
    this.#takes = this.#together(TAKE, () => [LEASE_MS])
    this.#landings = this.#together(LANDED, () => [Date.now()])
    this.#bringings = this.#together(BROUGHT, () => [Date.now()])
  }

  async look(digest: Digest): Promise<KnownBlob> {
    const keys = [leaseKey(digest), holdersKey(digest)]
    const reply = await this.#attempt([], () => this.#looks.ask({ keys, told: [] }))
    const [held, names = []] = reply as [] | readonly [string | null, readonly string[]]
    const coming = transferState(held ?? '')
    return { holders: repositories(names), ...(coming && { coming }) }
  }

  async landed(digest: Digest, repository: Repository): Promise<void> {
    const part = { keys: [holdersKey(digest)], told: [repository] }
    await this.#attempt(null, () => this.#landings.ask(part))
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
    const take = { keys: [key, held], told: [instead ?? holder, written(state)] }
    const names = await this.#attempt([], () => this.#takes.ask(take))
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
        end(() =>
          this.#bringings.ask({ keys: [held, given, key], told: [repository, origin, holder] }),
        ),
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

  /** One script for all blobs that it is asked for at the same moment; what it gives back is theirs, in order. */
  #together(script: string, before: () => readonly number[]): Together<Part, unknown> {
    return new Together(async (parts) => {
      const [keys, told] = [parts.flatMap((part) => part.keys), parts.flatMap((part) => part.told)]
      const reply = await this.#redis.eval(script, keys.length, ...keys, ...before(), ...told)
      return (reply ?? []) as readonly unknown[]
    })
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
