import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import type { Reference, Tag } from '../oci/reference.ts'
import { ReplicationError } from './errors.ts'
import type { RemovalTarget } from './ports.ts'

/** Of a repository whose tags have to be read one by one before a digest may go, with their indexes. */
const MAX_READ = 2_000

/**
 * Which tag but those needs the manifest, at whatever depth, or why that cannot be told; undefined
 * when the digest can go with the tags. In doubt it stays.
 *
 * @throws ReplicationError when the list cannot be read to its end
 */
export async function whoNeeds(
  digest: Digest,
  gone: ReadonlySet<Tag>,
  { target, signal }: { readonly target: RemovalTarget; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const search = new Search(digest, target, signal)
  const unlisted = new Set(gone)
  for await (const page of target.tags(signal)) {
    for (const tag of page) {
      unlisted.delete(tag)
      if (gone.has(tag)) continue
      if (await search.isNeededBy(tag)) return `tag ${tag} needs ${digest}`
      if (search.doubt !== undefined) return search.doubt
    }
  }
  // A list without the tag that is there is not one to delete by.
  return unlisted.size === 0 ? undefined : 'it does not list its tags'
}

class Search {
  readonly #digest: Digest
  readonly #target: RemovalTarget
  readonly #signal: AbortSignal
  /** Indexes that were read, none of which names it. */
  readonly #read = new Set<Digest>()
  #reads = 0
  /** Why it cannot be told. */
  doubt: string | undefined

  constructor(digest: Digest, target: RemovalTarget, signal: AbortSignal) {
    this.#digest = digest
    this.#target = target
    this.#signal = signal
  }

  async isNeededBy(root: Reference): Promise<boolean> {
    const unread = [root]
    for (let next = unread.pop(); next !== undefined; next = unread.pop()) {
      const manifest = await this.#manifest(next)
      if (this.doubt !== undefined) return false
      if (manifest === undefined || this.#read.has(manifest.digest)) continue
      this.#read.add(manifest.digest)
      const names = [manifest, ...manifest.children]
      if (names.some(({ digest }) => digest === this.#digest)) return true
      unread.push(...manifest.children.filter(mayNameManifests).map(({ digest }) => digest))
    }
    return false
  }

  async #manifest(reference: Reference): Promise<Manifest | undefined> {
    this.#reads += 1
    if (this.#reads > MAX_READ) {
      this.doubt = 'there are too many tags to see whether one needs it'
      return undefined
    }
    try {
      return await this.#target.getManifest(reference, this.#signal)
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.content === undefined) throw error
      this.doubt = `what ${reference} is cannot be read (${error.message})`
      return undefined
    }
  }
}

function mayNameManifests({ mediaType }: { readonly mediaType: string }): boolean {
  return mediaType === '' || isIndexType(mediaType)
}
