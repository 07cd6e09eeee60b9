import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Digest, isDigest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'
import { unlessRedisFails } from '../redis-errors.ts'

/** A pull begins with the manifest and goes on at once; so does a push that follows. */
const REMEMBERED_SECONDS = 600

/** A client, as the gateways tell one from another; and the repository from which it pulls. */
export interface Pull {
  readonly client: string
  readonly repository: Repository
}

/**
 * Which clients were given manifests of images on their way, and of which blobs they were told that these are here,
 * before they were; over all gateways. Never rejects: without Redis nobody pulls.
 */
export class RecentPulls {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  async begun(pull: Pull): Promise<void> {
    await this.#attempt(() => this.#redis.set(pullKey(pull), '1', 'EX', REMEMBERED_SECONDS))
  }

  async has(pull: Pull): Promise<boolean> {
    return (await this.#attempt(() => this.#redis.exists(pullKey(pull)))) === 1
  }

  async announceAhead(pull: Pull, blob: Digest): Promise<void> {
    const key = aheadKey(pull)
    await this.#attempt(() =>
      this.#redis.multi().sadd(key, blob).expire(key, REMEMBERED_SECONDS).exec(),
    )
  }

  async announcedAhead(pull: Pull): Promise<readonly Digest[]> {
    const told = await this.#attempt(() => this.#redis.smembers(aheadKey(pull)))
    return (told ?? []).filter(isDigest)
  }

  #attempt<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return unlessRedisFails<T | undefined>(undefined, ask, this.#onError)
  }
}

function pullKey(pull: Pull): string {
  return `pullsync:pulling:${nameOf(pull)}`
}

function aheadKey(pull: Pull): string {
  return `pullsync:told-ahead:${nameOf(pull)}`
}

// Clients name themselves as they like, at any length.
function nameOf({ client, repository }: Pull): string {
  return `${createHash('sha256').update(client).digest('base64url')}:${repository}`
}
