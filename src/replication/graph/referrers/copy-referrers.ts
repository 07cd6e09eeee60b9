import type { Digest } from '../../../oci/digest.ts'
import type { Manifest } from '../../../oci/manifest.ts'
import type { Reference, Tag } from '../../../oci/reference.ts'
import type { Referrer } from '../../../oci/referrer-list.ts'
import { referrerTag } from '../../../oci/referrer-tag.ts'
import type { GraphCopy } from '../graph-copy.ts'
import { ConcurrencyLimit } from '../../../waiting/concurrency-limit.ts'
import { isMissing } from '../../errors.ts'
import { listLocally } from './list-locally.ts'
import { withReferrerRight } from './referrer-right.ts'
import { messageOf } from '../../../thrown.ts'

/** Signature of an SBOM of an image is three; deeper is a loop of names or an attack. */
const MAX_DEPTH = 8
/** Of one image with all its platforms. */
const MAX_REFERRERS = 500
/** As far as the limits are concerned: a layer need not wait for an answer that is mostly "no". */
const ASKING = { bytes: 0, uploads: false, asks: true } as const
const SMALL = { bytes: 0, uploads: false }
/** Of one list. */
const AT_ONCE = 16

const COSIGN = ['sig', 'att', 'sbom'] as const

/** Copies one manifest and what it is made of. */
export type CopyTree = (copy: GraphCopy, root: Manifest, reference: Reference) => Promise<void>

/**
 * Brings what refers to the manifests of an image, and what refers to that: signatures, SBOMs,
 * attestations. It begins as soon as a manifest is known, beside the copy of the image itself. What
 * fails is logged and counted, and does not fail the image: whoever needs a signature looks for it.
 */
export class ReferrerCopies {
  readonly #copy: GraphCopy
  readonly #copyTree: CopyTree
  readonly #ofHeld: boolean
  readonly #running: Promise<void>[] = []
  readonly #begun: Digest[] = []
  readonly #seen = new Set<Digest>()
  #found = 0
  #wantSubjectsFirst = false
  #subjectsFirst = false

  /** @param ofHeld whether what refers to a referrer that is here already is looked for, too */
  constructor(copy: GraphCopy, copyTree: CopyTree, { ofHeld = false } = {}) {
    // A signature is of no platform.
    this.#copy = { ...copy, platforms: 'all' }
    this.#copyTree = copyTree
    this.#ofHeld = ofHeld
  }

  /** Some of them were refused for want of what they refer to: they are not copied yet. */
  get wantSubjectsFirst(): boolean {
    return this.#wantSubjectsFirst
  }

  /** There is such a manifest: what refers to it comes along. */
  begin(subject: Digest): void {
    this.#begun.push(subject)
    // Aborted: whoever waits for the image is told by its copy.
    this.#running.push(this.#of(subject, 0).catch(() => undefined))
  }

  /** Resolves when everything that was begun has ended, well or not. */
  async settled(): Promise<void> {
    while (this.#running.length > 0) await Promise.all(this.#running.splice(0))
  }

  /** To be called when everything that was begun with is in the registry: brings what is not copied yet. */
  async afterSubjects(): Promise<void> {
    this.#subjectsFirst = true
    this.#seen.clear()
    this.#found = 0
    for (const subject of this.#begun.splice(0)) this.begin(subject)
    await this.settled()
  }

  async #of(subject: Digest, depth: number): Promise<void> {
    if (this.#seen.has(subject)) return
    this.#seen.add(subject)
    await Promise.all([
      this.#attempt(`list what refers to ${subject}`, () => this.#listed(subject, depth)),
      ...COSIGN.map((kind) =>
        this.#attempt(`copy what cosign has under ${kind} of ${subject}`, async () => {
          const tag = referrerTag(subject, kind)
          if (tag !== undefined) await this.#tagged(tag, depth)
        }),
      ),
    ])
  }

  async #listed(subject: Digest, depth: number): Promise<void> {
    const { source, target, slots, signal } = this.#copy
    const listed = await slots.run(ASKING, signal, () =>
      source.listReferrers(subject, signal, (reason) => {
        this.#failed(`read all that upstream "${source.registry}" lists of ${subject}: ${reason}`)
      }),
    )
    const here: Referrer[] = []
    // One more than is copied, so that it is told.
    const distinct = new Map(listed.map((referrer) => [referrer.digest, referrer]))
    const some = [...distinct.values()].slice(0, MAX_REFERRERS + 1)
    await new ConcurrencyLimit(AT_ONCE).each(some, (referrer) =>
      this.#attempt(`copy ${referrer.digest}, which refers to ${subject}`, async () => {
        const fetched = await this.#fetch(referrer, subject, depth)
        if (fetched !== undefined) here.push(fetched)
      }),
    )
    if (here.length === 0 || (await target.hasReferrersApi(subject, signal))) return
    await listLocally(this.#copy, subject, here)
  }

  /** Undefined where it says itself that it refers to something else: not every index under such a tag is a list. */
  async #fetch(referrer: Referrer, subject: Digest, depth: number): Promise<Referrer | undefined> {
    const { digest, entry } = referrer
    const { target, signal, log } = this.#copy
    if ((await target.heldAt(digest, signal)) !== undefined) {
      if (this.#isLookedInto(depth)) await this.#of(digest, depth + 1)
      return referrer
    }
    const manifest = await this.#get(digest, depth)
    if (manifest.subject?.digest !== subject) {
      log(`${digest} is listed with what refers to ${subject}, and does not: it is left upstream`)
      return undefined
    }
    await this.#bring(manifest, digest, depth)
    // What the list did not say, or said wrong, clients would stumble over.
    const { mediaType, bytes } = manifest
    return { digest, entry: { ...entry, mediaType, size: bytes.length } }
  }

  /** A referrer that is here already. */
  #isLookedInto(depth: number): boolean {
    return this.#subjectsFirst || (this.#ofHeld && depth < MAX_DEPTH)
  }

  async #tagged(tag: Tag, depth: number): Promise<void> {
    // There seldom is one; of what another job writes meanwhile, the look that counts is that with the right.
    if ((await this.#newUnder(tag)) === undefined) return
    await withReferrerRight(this.#copy, tag, async (confirm) => {
      const digest = await this.#newUnder(tag)
      if (digest === undefined) return
      const isStillWanted = async () => {
        if (!((await this.#copy.isStillWanted?.()) ?? true)) return false
        await confirm()
        return true
      }
      const copy = { ...this.#copy, isStillWanted }
      await this.#bring(await this.#get(digest, depth), tag, depth, copy)
    })
  }

  /** What upstream has there and the local registry has not. */
  async #newUnder(tag: Tag): Promise<Digest | undefined> {
    const { source, target, slots, signal } = this.#copy
    const there = await slots.run(ASKING, signal, () => source.headManifest(tag, signal))
    if (there === undefined) return undefined
    const here = await target.heldAt(tag, signal)
    return here?.digest === there.digest ? undefined : there.digest
  }

  async #get(digest: Digest, depth: number): Promise<Manifest> {
    const { source, slots, signal } = this.#copy
    this.#limit(digest, depth)
    const manifest = await slots.run(SMALL, signal, () => source.getManifest(digest, signal))
    if (manifest === undefined) throw new Error('upstream lists it and does not have it')
    return manifest
  }

  /** What refers to it comes first, where it may: a signature of an SBOM is there when the SBOM is. */
  async #bring(
    manifest: Manifest,
    reference: Reference,
    depth: number,
    copy = this.#copy,
  ): Promise<void> {
    const { digest } = manifest
    if (!this.#subjectsFirst) await this.#of(digest, depth + 1)
    await this.#copyTree(copy, manifest, reference)
    this.#copy.tally.referrer()
    if (this.#subjectsFirst) await this.#of(digest, depth + 1)
  }

  #limit(digest: Digest, depth: number): void {
    this.#found += 1
    if (depth < MAX_DEPTH && this.#found <= MAX_REFERRERS) return
    throw new Error(
      depth < MAX_DEPTH
        ? `more than ${MAX_REFERRERS} refer to this image; ${digest} and the rest stay upstream`
        : `${digest} refers to what refers to it, ${MAX_DEPTH} times over`,
    )
  }

  async #attempt(what: string, run: () => Promise<void>): Promise<void> {
    const { source, signal } = this.#copy
    try {
      await run()
    } catch (error) {
      signal.throwIfAborted()
      if (isMissing(error) && !this.#subjectsFirst) {
        this.#wantSubjectsFirst = true
        return
      }
      const reason = messageOf(error)
      this.#failed(`${what} from upstream "${source.registry}": ${reason}`)
    }
  }

  #failed(what: string): void {
    this.#copy.tally.referrerFailed()
    this.#copy.log(`could not ${what}`)
  }
}
