import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'

/** As long as the tags of one burst come; a registry that loses blobs sooner says so of the manifest. */
const REMEMBERED_MS = 60_000
const MAX_REMEMBERED = 50_000

/**
 * What this process has just seen to be in the local registry: many tags share their layers, and each
 * need not be asked for once more. Where that was wrong meanwhile, the manifest is refused, and what
 * lacks is brought again.
 */
export class RecentBlobs {
  readonly #seenAt = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  has(digest: Digest, repository: Repository): boolean {
    const seenAt = this.#seenAt.get(keyOf(digest, repository))
    return seenAt !== undefined && this.#now() - seenAt < REMEMBERED_MS
  }

  note(digest: Digest, repository: Repository): void {
    const key = keyOf(digest, repository)
    // The latest stand at the end.
    this.#seenAt.delete(key)
    this.#seenAt.set(key, this.#now())
    const [oldest] = this.#seenAt.keys()
    if (this.#seenAt.size > MAX_REMEMBERED && oldest !== undefined) this.#seenAt.delete(oldest)
  }

  /** A manifest was refused for want of something: nothing that was seen counts. */
  clear(): void {
    this.#seenAt.clear()
  }
}

function keyOf(digest: Digest, repository: Repository): string {
  return `${repository}@${digest}`
}
