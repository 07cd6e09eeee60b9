import type { Redis } from 'ioredis'
import type { Digest } from '../oci/digest.ts'
import { parseTag, type Repository, type Tag } from '../oci/reference.ts'

// A client asks by the digest within milliseconds of being told it; a slow one within minutes.
const REMEMBERED_SECONDS = 600

/**
 * Under which tag clients were told of a digest: those that resolve the tag first and then pull by
 * digest mean the tag, too. Kept in Redis, because another process may get the second request. What
 * cannot be kept or asked is forgotten.
 */
export class RedisTagNames {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  async remember(repository: Repository, digest: Digest, tag: Tag): Promise<void> {
    await this.#attempt(() =>
      this.#redis.set(keyOf(repository, digest), tag, 'EX', REMEMBERED_SECONDS),
    )
  }

  async tagOf(repository: Repository, digest: Digest): Promise<Tag | undefined> {
    const name = await this.#attempt(() => this.#redis.get(keyOf(repository, digest)))
    const tag = parseTag(name ?? '')
    return tag.ok ? tag.value : undefined
  }

  async #attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error)))
      return undefined
    }
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `pullsync:named:${repository}@${digest}`
}
