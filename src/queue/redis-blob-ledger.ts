import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Digest } from '../oci/digest.ts'
import { parseRepository, type Repository } from '../oci/reference.ts'
import type { BlobLedger } from '../replication/blob-ledger.ts'
import type { UploadCheckpoint } from '../replication/ports.ts'

/** A dead worker's blobs are free again after this; a heartbeat comes three times as often. */
const LEASE_MS = 6_000
const BEAT_MS = LEASE_MS / 3
/** More would be tried in vain, one after the other, when a registry has lost them all. */
const MAX_HOLDERS = 4
/** Registries keep layers for as long as a tag needs them; what nobody used for a month is guesswork. */
const REMEMBERED_SECONDS = 30 * 24 * 3_600

/** Registries purge uploads that nobody continues; distribution does after a week. */
const UPLOAD_SECONDS = 24 * 3_600

const RENEW = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

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

  async holders(digest: Digest): Promise<readonly Repository[]> {
    const names = await this.#attempt([], () =>
      this.#redis.zrevrange(holdersKey(digest), 0, MAX_HOLDERS - 1),
    )
    return names.flatMap((name) => {
      const repository = parseRepository(name)
      return repository.ok ? [repository.value] : []
    })
  }

  async landed(digest: Digest, repository: Repository): Promise<void> {
    const key = holdersKey(digest)
    await this.#attempt(undefined, () =>
      this.#redis
        .multi()
        .zadd(key, Date.now(), repository)
        .zremrangebyrank(key, 0, -MAX_HOLDERS - 1)
        .expire(key, REMEMBERED_SECONDS)
        .exec(),
    )
  }

  async notThere(digest: Digest, repository: Repository): Promise<void> {
    await this.#attempt(0, () => this.#redis.zrem(holdersKey(digest), repository))
  }

  async isLeased(digest: Digest): Promise<boolean> {
    return (await this.#attempt(0, () => this.#redis.exists(leaseKey(digest)))) === 1
  }

  async lease(digest: Digest): Promise<AsyncDisposable | undefined> {
    const key = leaseKey(digest)
    const holder = randomUUID()
    const got = await this.#attempt('OK', () => this.#redis.set(key, holder, 'PX', LEASE_MS, 'NX'))
    if (got === null) return undefined
    const beat = setInterval(() => {
      void this.#attempt(0, () => this.#redis.eval(RENEW, 1, key, holder, LEASE_MS))
    }, BEAT_MS)
    return {
      [Symbol.asyncDispose]: async () => {
        clearInterval(beat)
        await this.#attempt(0, () => this.#redis.eval(RELEASE, 1, key, holder))
      },
    }
  }

  checkpoint(digest: Digest, repository: Repository): UploadCheckpoint {
    const key = `pullsync:upload:${repository}@${digest}`
    return {
      load: async () => {
        const stored = await this.#attempt({}, () => this.#redis.hgetall(key))
        const [location, offset, chunkSize] = [
          stored['location'],
          stored['offset'],
          stored['chunkSize'],
        ]
        if (location === undefined) return undefined
        return { location, offset: Number(offset), chunkSize: Number(chunkSize) }
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

  async #attempt<T>(otherwise: T, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)))
      return otherwise
    }
  }
}

function leaseKey(digest: Digest): string {
  return `pullsync:lease:${digest}`
}

function holdersKey(digest: Digest): string {
  return `pullsync:blob:${digest}`
}
