import { setTimeout as delay } from 'node:timers/promises'
import { type Descriptor, isLeftElsewhere, mayBeManifest } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'
import type { Reference } from '../../oci/reference.ts'
import { ConcurrencyLimit } from '../../waiting/concurrency-limit.ts'
import { isMissing, ReplicationError } from '../errors.ts'
import { copyBlob, pushBlob } from './copy-blob.ts'
import { copyInline } from './copy-inline.ts'
import type { ReferrerCopies } from './referrers/copy-referrers.ts'
import type { GraphCopy } from './graph-copy.ts'
import { GraphLimits } from './graph-limits.ts'
import { whyNoLayers } from './index-of-layers.ts'
import { PlatformChoice } from './platform-choice.ts'

/** Looked for or brought at once, of one copy; transfers at once are fewer, as the slots allow. */
const BLOBS_AT_ONCE = 64
/** Of one index. More than real ones have: which of them clients wait for is seen once all have begun. */
const CHILDREN_AT_ONCE = 128

/**
 * While one copy links a blob in a repository once more, distribution 2.8 refuses another's manifest there for
 * want of it: the file that names the blob is empty for that moment.
 */
const BEING_LINKED_MS = 100

interface Place {
  readonly reference: Reference
  readonly depth: number
}

/** A child of one of the indexes on the way. */
interface Child {
  readonly descriptor: Descriptor
  readonly depth: number
}

/**
 * One walk over everything below a manifest: blobs first, then child manifests, then the manifest
 * itself, so that the target never holds a manifest whose content is missing. What refers to another
 * manifest of the walk comes after it. The first failure cancels the rest, unless the registry lacks
 * something: what comes meanwhile need not come again.
 */
export class GraphWalk {
  readonly #copy: GraphCopy
  readonly #choice: PlatformChoice
  readonly #limits: GraphLimits
  readonly #referrers: ReferrerCopies | undefined
  readonly #failed = new AbortController()
  readonly #limit = new ConcurrencyLimit(BLOBS_AT_ONCE)
  /** By what is to be done with which digest: it is done once, however many name it. */
  readonly #begun = new Map<string, Promise<void>>()
  readonly #children = new Map<Digest, Child>()

  constructor(copy: GraphCopy, referrers?: ReferrerCopies) {
    const signal = AbortSignal.any([copy.signal, this.#failed.signal])
    this.#copy = { ...copy, signal }
    this.#referrers = referrers
    this.#choice = new PlatformChoice(copy)
    this.#limits = new GraphLimits(copy.source.registry)
  }

  async copy(root: Manifest, reference: Reference): Promise<void> {
    try {
      await this.#copyManifest(root, { reference, depth: 0 })
    } catch (error) {
      // Of everything that failed, the first is the cause; the rest was cancelled because of it.
      throw this.#failed.signal.aborted ? this.#failed.signal.reason : error
    }
  }

  async #copyManifest(manifest: Manifest, { reference, depth }: Place): Promise<void> {
    const { children, digest } = manifest
    this.#limits.names(manifest, children.filter(mayBeManifest), depth)
    const { wanted } = this.#choice.of(manifest)
    this.#referrers?.begin(digest)
    await this.#copyBlobs(manifest, depth)
    await this.#copyChildren(wanted, depth + 1)
    await this.#copySubject(manifest)
    if (depth === 0 && !(await this.#rootIsWanted(manifest))) return
    const leftOut = await this.#put(manifest, { reference, depth })
    if (leftOut === undefined) return
    this.#choice.taken(manifest, leftOut)
    this.#copy.tally.manifest()
  }

  async #copyBlobs(manifest: Manifest, depth: number): Promise<void> {
    // What somebody named by itself is wanted; of an index, mostly one platform is.
    const demand = depth > 0 && manifest.blobs.length > 0 ? this.#copy.demand : undefined
    const end = await demand?.turn(manifest, this.#copy.signal)
    try {
      await this.#limit.each(distinct(manifest.blobs), async (blob) => {
        await this.#once(blob, () => this.#copyBlob(blob))
      })
    } finally {
      end?.()
    }
  }

  async #copyChildren(children: readonly Descriptor[], depth: number): Promise<void> {
    const all = distinct(children).map((descriptor) => ({ descriptor, depth }))
    for (const child of all) this.#children.set(child.descriptor.digest, child)
    // ConcurrencyLimit of its own: one that waits for what is below it must not keep that waiting.
    await new ConcurrencyLimit(CHILDREN_AT_ONCE).each(all, (child) => this.#copyChildOnce(child))
  }

  #copyChildOnce({ descriptor, depth }: Child): Promise<void> {
    return this.#once(descriptor, () => this.#copyChild(descriptor, depth))
  }

  /** GitLab takes nothing that refers to what it does not have; BuildKit 0.32's attestations do. */
  async #copySubject({ subject }: Manifest): Promise<void> {
    const child = subject && this.#children.get(subject.digest)
    if (child !== undefined) await this.#copyChildOnce(child)
  }

  async #rootIsWanted(root: Manifest): Promise<boolean> {
    // Whoever sees the tag and checks its signature must find that.
    await this.#referrers?.settled()
    if (this.#referrers?.wantSubjectsFirst === true) {
      await this.#put(root, { reference: root.digest, depth: 0 })
      await this.#referrers.afterSubjects()
    }
    return await this.#isStillWanted()
  }

  async #isStillWanted(): Promise<boolean> {
    return (await this.#copy.isStillWanted?.()) ?? true
  }

  /** Gives what of its children is not there now; undefined when it is not wanted any more. */
  async #put(
    manifest: Manifest,
    { reference, depth }: Place,
  ): Promise<readonly Descriptor[] | undefined> {
    const { leftOut } = this.#choice.of(manifest)
    const { target, signal } = this.#copy
    const refused = () => refusalOf(target.putManifest(reference, manifest, signal))
    let refusal = await refused()
    if (refusal === undefined) return leftOut
    for (const remedy of await this.#remedies(refusal, manifest, depth)) {
      await remedy()
      if (depth === 0 && !(await this.#isStillWanted())) return undefined
      refusal = await refused()
      if (refusal === undefined) {
        if (leftOut.length > 0) this.#choice.refused()
        return []
      }
      const final = await whyNoLayers(refusal, { manifest, reference }, this.#copy)
      if (final !== undefined) throw final
      if (!isMissing(refusal)) break
    }
    throw refusal
  }

  /** What may help against it, to be tried one after the other. */
  async #remedies(
    refusal: ReplicationError,
    manifest: Manifest,
    depth: number,
  ): Promise<readonly (() => Promise<void>)[]> {
    const { wanted, leftOut } = this.#choice.of(manifest)
    if (leftOut.length > 0 && (await this.#isRefusedAsSparse(refusal, wanted)))
      return [() => this.#copyChildren(leftOut, depth + 1)]
    if (!isMissing(refusal) || !(await this.#holdsSubject(manifest))) return []
    this.#copy.log(`the local registry lacks what it said it had: ${refusal.message}`)
    return [false, true].map((all) => () => this.#bringAgain(manifest, { all, depth: depth + 1 }))
  }

  /**
   * Whether the index may be refused for what was left out: what was brought is there. Registries say
   * so in different words (zot: MANIFEST_INVALID), so it shows only when the rest is there, too.
   */
  async #isRefusedAsSparse(
    refusal: ReplicationError,
    wanted: readonly Descriptor[],
  ): Promise<boolean> {
    if (!isMissing(refusal) && !isInvalid(refusal)) return false
    const { target, signal } = this.#copy
    for (const { digest } of wanted.filter(mayBeManifest)) {
      if ((await target.heldAt(digest, signal)) === undefined) return false
    }
    return true
  }

  async #holdsSubject({ subject }: Manifest): Promise<boolean> {
    const { target, signal } = this.#copy
    return subject === undefined || (await target.heldAt(subject.digest, signal)) !== undefined
  }

  /** Brings what the target gives no byte of, or all, for want of which it may have refused the manifest. */
  async #bringAgain(
    manifest: Manifest,
    { all, depth }: { readonly all: boolean; readonly depth: number },
  ): Promise<void> {
    const { target, flights, signal } = this.#copy
    flights.recent.clear()
    let pushed = 0
    const children = distinct(this.#choice.of(manifest).wanted)
    const layers = children.filter((child) => !mayBeManifest(child))
    const kept = distinct([...manifest.blobs, ...layers]).filter((blob) => !isLeftElsewhere(blob))
    // distribution 3 takes an index of layers where its cache remembers them, as it does once it was asked for each.
    await this.#limit.each(kept, async (blob) => {
      if (!all && (await target.givesBlob(blob, signal))) return
      pushed += 1
      await pushBlob(this.#copy, blob)
    })
    const manifests = children.filter(mayBeManifest)
    await new ConcurrencyLimit(CHILDREN_AT_ONCE).each(manifests, (child) =>
      all ? this.#fetchChild(child, depth) : this.#copyChild(child, depth),
    )
    if (pushed === 0) await delay(BEING_LINKED_MS, undefined, { signal })
  }

  async #copyChild(child: Descriptor, depth: number): Promise<void> {
    const { target, signal } = this.#copy
    // An index may name blobs too; what it names with another type is copied as bytes.
    if (!mayBeManifest(child)) await this.#copyBlob(child)
    else if ((await target.heldAt(child.digest, signal)) === undefined) {
      await this.#fetchChild(child, depth)
    }
  }

  async #fetchChild(child: Descriptor, depth: number): Promise<void> {
    const { source, slots, signal } = this.#copy
    const transfer = { bytes: child.size, uploads: false }
    const manifest = await slots.run(transfer, signal, () =>
      source.getManifest(child.digest, signal),
    )
    if (manifest !== undefined) {
      await this.#copyManifest(manifest, { reference: child.digest, depth })
    } else if (child.mediaType === '') {
      await this.#copyBlob(child)
    } else {
      throw incomplete(source.registry, child)
    }
  }

  async #copyBlob(blob: Descriptor): Promise<void> {
    if (blob.data !== undefined && !isLeftElsewhere(blob)) {
      await copyInline(this.#copy, blob, blob.data)
    } else {
      await copyBlob(this.#copy, blob)
    }
  }

  #once(descriptor: Descriptor, copy: () => Promise<void>): Promise<void> {
    const work = workOf(descriptor)
    const begun = this.#begun.get(work)
    if (begun !== undefined) return begun
    const running = copy().catch((error: unknown) => {
      if (!isMissing(error)) this.#failed.abort(error)
      throw error
    })
    this.#begun.set(work, running)
    return running
  }
}

/** What must be done with it: an ordinary layer can also appear as one that is left elsewhere. */
function workOf(descriptor: Descriptor): string {
  const kind = mayBeManifest(descriptor) ? 'manifest' : 'blob'
  return `${isLeftElsewhere(descriptor) ? 'elsewhere' : kind} ${descriptor.digest}`
}

/** Why the target does not take it; undefined when it does. */
async function refusalOf(put: Promise<unknown>): Promise<ReplicationError | undefined> {
  try {
    await put
    return undefined
  } catch (error) {
    if (error instanceof ReplicationError) return error
    throw error
  }
}

function distinct(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((each) => [workOf(each), each])).values()]
}

function isInvalid({ content }: ReplicationError): boolean {
  return content === 'invalid'
}

function incomplete(upstream: string, { digest }: Descriptor): ReplicationError {
  return new ReplicationError(
    `upstream "${upstream}" has no ${digest}, which its own index names; push the image there again, complete, or set the project's platforms to those that are there`,
    { disposition: 'transient' },
  )
}
