import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { type Manifest, MAX_MANIFEST_BYTES } from '../../oci/manifest.ts'
import { ReplicationError } from '../errors.ts'

/** Real indexes nest once or twice; deeper is a mistake or an attack. */
const MAX_DEPTH = 8
/** The largest real indexes have some hundred children. */
const MAX_MANIFESTS = 2_000
/** Children wait in memory for their blobs; real ones have some kilobytes. */
const MAX_ALL_MANIFEST_BYTES = 64 * 1024 * 1024
/** What one manifest of the largest size can name; real images name some hundred at most. */
const MAX_DESCRIPTORS = 40_000

/** Bounds what a hostile index can make of a small request. */
export class GraphLimits {
  readonly #upstream: string
  readonly #known = new Set<Digest>()
  #manifests = 0
  #manifestBytes = 0
  #descriptors = 0

  constructor(upstream: string) {
    this.#upstream = upstream
  }

  /**
   * To be asked of each manifest that is here, before anything that it names is fetched.
   *
   * @param children those of them that are manifests
   * @throws ReplicationError when the image is not to be copied
   */
  names(manifest: Manifest, children: readonly Descriptor[], depth: number): void {
    if (this.#known.has(manifest.digest)) return
    this.#known.add(manifest.digest)
    this.#manifests += children.length
    this.#manifestBytes += depth === 0 ? 0 : manifest.bytes.length
    this.#descriptors += manifest.blobs.length + manifest.children.length
    const reason =
      depth === MAX_DEPTH && children.length > 0
        ? `its manifests are nested more than ${MAX_DEPTH} deep`
        : this.#tooMuch()
    if (reason !== undefined) throw this.#refused(manifest.digest, reason)
    for (const child of children) this.#fits(child)
  }

  #tooMuch(): string | undefined {
    if (this.#manifests > MAX_MANIFESTS) return `its index has more than ${MAX_MANIFESTS} manifests`
    if (this.#descriptors > MAX_DESCRIPTORS) return `it names more than ${MAX_DESCRIPTORS} parts`
    if (this.#manifestBytes <= MAX_ALL_MANIFEST_BYTES) return undefined
    return `the manifests of its index are larger than ${megabytes(MAX_ALL_MANIFEST_BYTES)} together`
  }

  #fits({ digest, size }: Descriptor): void {
    if (size <= MAX_MANIFEST_BYTES) return
    throw this.#refused(digest, `it is larger than ${megabytes(MAX_MANIFEST_BYTES)}`)
  }

  #refused(digest: Digest, reason: string): ReplicationError {
    return new ReplicationError(
      `${digest} of upstream "${this.#upstream}" is not copied: ${reason}. No registry known takes such an image; have it built otherwise.`,
      { disposition: 'permanent', content: 'unsupported' },
    )
  }
}

function megabytes(bytes: number): string {
  return `${bytes / 1024 / 1024} MiB`
}
