import type { Redis } from 'ioredis'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { parseTag, type Repository, type Tag } from '../../oci/reference.ts'
import { unlessRedisFails } from '../redis-errors.ts'

// A client asks by the digest within milliseconds of being told it; a slow one within minutes.
const REMEMBERED_SECONDS = 600
/** Of one repository; each costs an upstream a request where a blob has to be found. */
const MAX_REMEMBERED = 16

/**
 * Of which upstream manifests clients were told without being given any of them. Those that resolve a tag first and
 * then pull by digest mean the tag, too; those that know the manifest from before go on to its blobs. Kept in Redis,
 * because another process may get the second request. What cannot be kept or asked is forgotten.
 */
export class AnnouncedManifests {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  /** @param tag by which the client asked for it, if by one */
  async remember(repository: Repository, digest: Digest, tag?: Tag): Promise<void> {
    if (tag !== undefined) {
      const name = nameKey(repository, digest)
      await this.#attempt(() => this.#redis.set(name, tag, 'EX', REMEMBERED_SECONDS))
    }
    await this.rememberAll(repository, [digest])
  }

  async rememberAll(repository: Repository, digests: readonly Digest[]): Promise<void> {
    if (digests.length === 0) return
    const key = recentKey(repository)
    await this.#attempt(async () => {
      const all = this.#redis.multi()
      for (const digest of digests) all.lrem(key, 0, digest).lpush(key, digest)
      all.ltrim(key, 0, MAX_REMEMBERED - 1).expire(key, REMEMBERED_SECONDS)
      await all.exec()
    })
  }

  async tagOf(repository: Repository, digest: Digest): Promise<Tag | undefined> {
    const name = await this.#attempt(() => this.#redis.get(nameKey(repository, digest)))
    const tag = parseTag(name ?? '')
    return tag.ok ? tag.value : undefined
  }

  /** The latest first. */
  async recent(repository: Repository): Promise<readonly Digest[]> {
    const told = await this.#attempt(() => this.#redis.lrange(recentKey(repository), 0, -1))
    return (told ?? []).filter(isDigest)
  }

  #attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return unlessRedisFails<T | undefined>(undefined, ask, this.#onError)
  }
}

function nameKey(repository: Repository, digest: Digest): string {
  return `pullsync:named:${repository}@${digest}`
}

function recentKey(repository: Repository): string {
  return `pullsync:told:${repository}`
}
