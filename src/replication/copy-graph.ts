import { type Descriptor, isLeftElsewhere } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { type Manifest, MAX_MANIFEST_BYTES } from '../oci/manifest.ts'
import { isManifestType } from '../oci/media-types.ts'
import type { WantedPlatforms } from '../oci/platforms.ts'
import type { Reference } from '../oci/reference.ts'
import { type BlobCopy, copyBlob } from './copy-blob.ts'
import { copyInline } from './copy-inline.ts'
import type { Demand } from './demand.ts'
import { ReferrerCopies } from './copy-referrers.ts'
import { ReplicationError } from './errors.ts'
import { PlatformChoice } from './platform-choice.ts'

/** Real indexes nest once or twice; deeper is a mistake or an attack. */
const MAX_DEPTH = 8
/** The largest real indexes have some hundred children. */
const MAX_MANIFESTS = 2_000
/** Children wait in memory for their blobs; real ones have some kilobytes. */
const MAX_ALL_MANIFEST_BYTES = 64 * 1024 * 1024

type Mode = 'trust-target' | 'push-all'

export interface GraphCopy extends Omit<BlobCopy, 'signal'> {
  readonly platforms: WantedPlatforms
  /** What refers to it comes along. */
  readonly referrers: boolean
  /** Absent where nobody waits for a part of it. */
  readonly demand?: Demand
  /** Asked when everything else is there: whether the root is still to be put under its reference. */
  readonly isStillWanted?: () => Promise<boolean>
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
  const referrers = copy.referrers ? new ReferrerCopies(copy, copyTree) : undefined
  await copyTree(copy, root, reference, referrers)
}

/** Brings what refers to a manifest that is here already. */
export async function copyReferrers(copy: GraphCopy, subject: Digest): Promise<void> {
  const referrers = new ReferrerCopies(copy, copyTree)
  referrers.begin(subject)
  await referrers.settled()
  copy.signal.throwIfAborted()
}

async function copyTree(
  copy: GraphCopy,
  root: Manifest,
  reference: Reference,
  referrers?: ReferrerCopies,
): Promise<void> {
  const walk = new GraphWalk(copy, 'trust-target', referrers)
  try {
    await walk.copy(root, reference)
  } catch (error) {
    if (!isMissing(error)) throw error
    // It said of something that it had it and has not: that heals by pushing everything.
    copy.log(`the local registry lacks what it said it had; pushing everything: ${error.message}`)
    await new GraphWalk(copy, 'push-all', referrers).copy(root, reference)
  }
}

class GraphWalk {
  readonly #copy: GraphCopy
  readonly #mode: Mode
  readonly #choice: PlatformChoice
  readonly #referrers: ReferrerCopies | undefined
  readonly #failed = new AbortController()
  readonly #signal: AbortSignal
  /** A digest that several parents share is copied once. */
  readonly #done = new Map<Digest, Promise<void>>()
  #manifests = 0
  #manifestBytes = 0

  constructor(copy: GraphCopy, mode: Mode, referrers?: ReferrerCopies) {
    this.#copy = copy
    this.#referrers = referrers
    this.#mode = mode
    this.#choice = new PlatformChoice(copy)
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
    const { wanted, leftOut } = this.#choice.of(manifest)
    this.#referrers?.begin(manifest.digest)
    await this.#all([this.#blobs(manifest, depth), ...this.#children(wanted, depth)])
    if (depth === 0 && !(await this.#rootIsWanted())) return
    try {
      await this.#copy.target.putManifest(reference, manifest, this.#signal)
      this.#choice.taken(manifest, leftOut)
    } catch (error) {
      if (leftOut.length === 0 || !isMissing(error) || !(await this.#holds(wanted))) throw error
      this.#choice.refused()
      await this.#all(this.#children(leftOut, depth))
      await this.#copy.target.putManifest(reference, manifest, this.#signal)
    }
    this.#copy.tally.manifest()
  }

  async #blobs(manifest: Manifest, depth: number): Promise<void> {
    const copies = () => manifest.blobs.map((blob) => this.#once(blob, () => this.#copyBlob(blob)))
    // What somebody named by itself is wanted; of an index, mostly one platform is.
    const demand = depth > 0 && manifest.blobs.length > 0 ? this.#copy.demand : undefined
    const end = await demand?.turn(manifest, this.#signal)
    try {
      await this.#all(copies())
    } finally {
      end?.()
    }
  }

  async #rootIsWanted(): Promise<boolean> {
    // Whoever sees the tag and checks its signature must find that.
    await this.#referrers?.settled()
    return (await this.#copy.isStillWanted?.()) ?? true
  }

  #children(children: readonly Descriptor[], depth: number): readonly Promise<void>[] {
    return children.map((child) => this.#once(child, () => this.#copyChild(child, depth + 1)))
  }

  /** Whether what the index names and was brought is there: then it was refused for the rest. */
  async #holds(children: readonly Descriptor[]): Promise<boolean> {
    const heads = children
      .filter(mayBeManifest)
      .map(({ digest }) => this.#copy.target.headManifest(digest, this.#signal))
    return (await Promise.all(heads)).every((head) => head !== undefined)
  }

  async #copyChild(child: Descriptor, depth: number): Promise<void> {
    // An index may name blobs too; what it names with another type is copied as bytes.
    if (!mayBeManifest(child)) {
      await this.#copyBlob(child)
      return
    }
    const { source, target, slots } = this.#copy
    this.#manifests += 1
    this.#limit(child, depth, child.size)
    if (this.#mode === 'trust-target' && (await target.headManifest(child.digest, this.#signal))) {
      return
    }
    const transfer = { bytes: child.size, uploads: false }
    const manifest = await slots.run(transfer, this.#signal, () =>
      source.getManifest(child.digest, this.#signal),
    )
    if (manifest !== undefined) {
      this.#manifestBytes += manifest.bytes.length
      this.#limit(child, depth, manifest.bytes.length)
      await this.#copyManifest(manifest, child.digest, depth)
    } else if (child.mediaType === '') {
      await this.#copyBlob(child)
    } else {
      throw incomplete(source.registry, child)
    }
  }

  /** Bounds what a hostile index can make of a small request. */
  #limit({ digest }: Descriptor, depth: number, size: number): void {
    const reason =
      (depth > MAX_DEPTH && `it is nested more than ${MAX_DEPTH} deep in its index`) ||
      (this.#manifests > MAX_MANIFESTS && `its index has more than ${MAX_MANIFESTS} manifests`) ||
      (size > MAX_MANIFEST_BYTES && `it is larger than ${megabytes(MAX_MANIFEST_BYTES)}`) ||
      (this.#manifestBytes > MAX_ALL_MANIFEST_BYTES &&
        `the manifests of its index are larger than ${megabytes(MAX_ALL_MANIFEST_BYTES)} together`)
    if (reason === false) return
    throw new ReplicationError(
      `${digest} of upstream "${this.#copy.source.registry}" is not copied: ${reason}. No registry known takes such an image; have it built otherwise.`,
      { disposition: 'permanent', content: 'unsupported' },
    )
  }

  async #copyBlob(blob: Descriptor): Promise<void> {
    const copy = { ...this.#copy, signal: this.#signal }
    if (blob.data !== undefined && !isLeftElsewhere(blob)) await copyInline(copy, blob, blob.data)
    else await copyBlob(copy, blob)
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

/** An index should name nothing else; where it does not say what it names, it is tried as one. */
function mayBeManifest({ mediaType }: Descriptor): boolean {
  return mediaType === '' || isManifestType(mediaType)
}

function isMissing(error: unknown): error is ReplicationError {
  return error instanceof ReplicationError && error.content === 'missing'
}

function incomplete(upstream: string, { digest }: Descriptor): ReplicationError {
  return new ReplicationError(
    `upstream "${upstream}" has no ${digest}, which its own index names; push the image there again, complete, or set the project's platforms to those that are there`,
    { disposition: 'transient' },
  )
}

function megabytes(bytes: number): string {
  return `${bytes / 1024 / 1024} MiB`
}
