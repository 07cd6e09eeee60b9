import type { Digest } from '../oci/digest.ts'
import { formatImageName, type Tag } from '../oci/reference.ts'
import { ConcurrencyLimit } from '../waiting/concurrency-limit.ts'
import type { RemovalTarget } from './ports.ts'
import type { ReplicationRequest } from './request.ts'

/** Of one repository; a digest may go with tags beyond that, which stay. */
const MAX_TAGS = 2_000
const AT_ONCE = 8
/** Retention deletes a thousand images one by one: not each of them asks again what all tags are. */
const KNOWN_MS = 30_000
const MAX_KNOWN = 20_000

/** Which digests the tags of the local registry have; for a while, also without asking. */
export class LocalTags {
  readonly #known = new Map<
    string,
    { readonly digest: Digest | undefined; readonly until: number }
  >()
  /** Of tags that are being asked for now, the latest time that they were. */
  readonly #asked = new Map<string, symbol>()

  /** The tags that had this digest a moment ago: whoever changes one looks once more. */
  async of(digest: Digest, target: RemovalTarget, signal: AbortSignal): Promise<readonly Tag[]> {
    const found: Tag[] = []
    let left = MAX_TAGS
    for await (const page of target.tags(signal)) {
      await new ConcurrencyLimit(AT_ONCE).each(page.slice(0, left), async (tag) => {
        if ((await this.#digestOf(tag, target, signal)) === digest) found.push(tag)
      })
      left -= page.length
      if (left <= 0) break
    }
    return found
  }

  /** It may have been written. */
  forget({ repository, reference }: Pick<ReplicationRequest, 'repository' | 'reference'>): void {
    const key = formatImageName(repository, reference)
    this.#known.delete(key)
    this.#asked.delete(key)
  }

  async #digestOf(tag: Tag, target: RemovalTarget, signal: AbortSignal) {
    const key = formatImageName(target.repository, tag)
    const known = this.#known.get(key)
    if (known !== undefined && known.until > performance.now()) return known.digest
    return await this.#ask(key, async () => (await target.heldAt(tag, signal))?.digest)
  }

  async #ask(key: string, ask: () => Promise<Digest | undefined>): Promise<Digest | undefined> {
    const asked = Symbol(key)
    this.#asked.set(key, asked)
    try {
      const digest = await ask()
      // It may be one that was written since it was asked for.
      if (this.#asked.get(key) === asked) this.#remember(key, digest)
      return digest
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key)
    }
  }

  #remember(key: string, digest: Digest | undefined): void {
    this.#known.delete(key)
    this.#known.set(key, { digest, until: performance.now() + KNOWN_MS })
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
  }
}
