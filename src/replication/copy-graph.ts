import { type Descriptor, matchesPlatform } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isManifestType } from '../oci/media-types.ts'
import type { Reference } from '../oci/reference.ts'
import { type BlobCopy, copyBlob } from './copy-blob.ts'
import { ReplicationError } from './errors.ts'

/** Real indexes nest once or twice; deeper is a mistake or an attack. */
const MAX_DEPTH = 8
/** The largest real indexes have some hundred children. */
const MAX_MANIFESTS = 2_000

export interface GraphCopy extends Omit<BlobCopy, 'signal'> {
  readonly platforms: 'all' | readonly string[]
  readonly signal: AbortSignal
  readonly log: (line: string) => void
}

/**
 * Copies a manifest with everything below it: blobs first, then child manifests, then the manifest
 * itself under `reference`, so that the target never holds a manifest whose content is missing.
 * The first failure cancels the rest.
 */
export async function copyGraph(
  copy: GraphCopy,
  root: Manifest,
  reference: Reference,
): Promise<void> {
  const walk = new GraphWalk(copy, 'trust-target')
  try {
    await walk.copy(root, reference)
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.content !== 'missing') throw error
    // Either the index names platforms that were left out and this registry takes complete ones
    // only, or it said of something that it had it and has not. Both heal by pushing everything.
    copy.log(
      `the local registry wants all that the manifest names; copying it whole: ${error.message}`,
    )
    await new GraphWalk({ ...copy, platforms: 'all' }, 'push-all').copy(root, reference)
  }
}

class GraphWalk {
  readonly #copy: GraphCopy
  readonly #mode: 'trust-target' | 'push-all'
  readonly #failed = new AbortController()
  readonly #signal: AbortSignal
  /** A digest that several parents share is copied once. */
  readonly #done = new Map<Digest, Promise<void>>()

  constructor(copy: GraphCopy, mode: 'trust-target' | 'push-all') {
    this.#copy = copy
    this.#mode = mode
    this.#signal = AbortSignal.any([copy.signal, this.#failed.signal])
  }

  async copy(root: Manifest, reference: Reference): Promise<void> {
    try {
      await this.#copyManifest(root, reference, 0)
    } catch (error) {
      // Of everything that failed, the first is the cause; the rest was cancelled because of it.
      throw this.#failed.signal.aborted ? this.#failed.signal.reason : error
    }
  }

  async #copyManifest(manifest: Manifest, reference: Reference, depth: number): Promise<void> {
    const children = manifest.children.filter((child) => this.#isWanted(child))
    await this.#all([
      ...manifest.blobs.map((blob) => this.#once(blob, () => this.#copyBlob(blob))),
      ...children.map((child) => this.#once(child, () => this.#copyChild(child, depth + 1))),
    ])
    await this.#copy.target.putManifest(reference, manifest, this.#signal)
    this.#copy.tally.manifest()
  }

  async #copyChild(child: Descriptor, depth: number): Promise<void> {
    // An index may name blobs too; what it names with another type is copied as bytes.
    if (!isManifestType(child.mediaType)) {
      await this.#copyBlob(child)
      return
    }
    if (depth > MAX_DEPTH || this.#done.size > MAX_MANIFESTS) {
      throw new ReplicationError(
        `${child.digest} at ${this.#copy.source.registry} is nested ${depth} deep in an index of ${this.#done.size} parts; at most ${MAX_DEPTH} levels and ${MAX_MANIFESTS} parts are copied`,
        { disposition: 'permanent' },
      )
    }
    const { source, target, slots } = this.#copy
    if (this.#mode === 'trust-target' && (await target.headManifest(child.digest, this.#signal))) {
      return
    }
    const transfer = { bytes: child.size, uploads: false }
    const manifest = await slots.run(transfer, this.#signal, () =>
      source.getManifest(child.digest, this.#signal),
    )
    if (manifest === undefined) {
      throw new ReplicationError(
        `upstream "${source.registry}" has no ${child.digest}, which its own index names; push the image there again, complete`,
        { disposition: 'transient' },
      )
    }
    await this.#copyManifest(manifest, child.digest, depth)
  }

  async #copyBlob(blob: Descriptor): Promise<void> {
    await copyBlob({ ...this.#copy, signal: this.#signal }, blob)
  }

  #isWanted(child: Descriptor): boolean {
    const { platforms } = this.#copy
    if (platforms === 'all' || child.platform === undefined) return true
    return platforms.some((wanted) => matchesPlatform(wanted, child.platform))
  }

  #once({ digest }: Descriptor, copy: () => Promise<void>): Promise<void> {
    const begun = this.#done.get(digest)
    if (begun !== undefined) return begun
    const running = copy().catch((error: unknown) => {
      this.#failed.abort(error)
      throw error
    })
    this.#done.set(digest, running)
    return running
  }

  /** Waits for all, also after one failed: nothing may go on when the copy has ended. */
  async #all(tasks: readonly Promise<void>[]): Promise<void> {
    const results = await Promise.allSettled(tasks)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
