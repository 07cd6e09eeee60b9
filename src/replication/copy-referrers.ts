import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference } from '../oci/reference.ts'
import type { Referrer } from '../oci/referrer-list.ts'
import { referrerTag } from '../oci/referrer-tag.ts'
import type { GraphCopy } from './copy-graph.ts'
import { listLocally } from './list-locally.ts'

/** Signature of an SBOM of an image is three; deeper is a loop of names or an attack. */
const MAX_DEPTH = 8
/** Of one image with all its platforms. */
const MAX_REFERRERS = 500
/** As far as the limits are concerned: a layer need not wait for an answer that is mostly "no". */
const ASKING = { bytes: 0, uploads: false, asks: true } as const
const SMALL = { bytes: 0, uploads: false }

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
  readonly #running: Promise<void>[] = []
  readonly #seen = new Set<Digest>()
  #found = 0

  constructor(copy: GraphCopy, copyTree: CopyTree) {
    // A signature is of no platform.
    this.#copy = { ...copy, platforms: 'all' }
    this.#copyTree = copyTree
  }

  /** There is such a manifest: what refers to it comes along. */
  begin(subject: Digest): void {
    // Aborted: whoever waits for the image is told by its copy.
    this.#running.push(this.#of(subject, 0).catch(() => undefined))
  }

  /** Resolves when everything that was begun has ended, well or not. */
  async settled(): Promise<void> {
    while (this.#running.length > 0) await Promise.all(this.#running.splice(0))
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
    const listed = await slots.run(ASKING, signal, () => source.listReferrers(subject, signal))
    const here: Referrer[] = []
    await Promise.all(
      listed.map((referrer) =>
        this.#attempt(`copy ${referrer.digest}, which refers to ${subject}`, async () => {
          const { digest } = referrer
          if ((await target.headManifest(digest, signal)) === undefined) {
            await this.#bring(digest, digest, depth)
          }
          here.push(referrer)
        }),
      ),
    )
    if (here.length === 0 || (await target.hasReferrersApi(subject, signal))) return
    await listLocally(this.#copy, subject, here)
  }

  async #tagged(tag: Reference, depth: number): Promise<void> {
    const { source, target, slots, signal } = this.#copy
    const there = await slots.run(ASKING, signal, () => source.headManifest(tag, signal))
    if (there === undefined) return
    const here = await target.headManifest(tag, signal)
    if (here?.digest === there.digest) return
    await this.#bring(there.digest, tag, depth)
  }

  /** What refers to it comes first: a signature of an SBOM is there when the SBOM is. */
  async #bring(digest: Digest, reference: Reference, depth: number): Promise<void> {
    const { source, slots, tally, signal } = this.#copy
    this.#limit(digest, depth)
    await this.#of(digest, depth + 1)
    const manifest = await slots.run(SMALL, signal, () => source.getManifest(digest, signal))
    if (manifest === undefined) throw new Error('upstream lists it and does not have it')
    await this.#copyTree(this.#copy, manifest, reference)
    tally.referrer()
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
    const { source, tally, signal, log } = this.#copy
    try {
      await run()
    } catch (error) {
      signal.throwIfAborted()
      tally.referrerFailed()
      const reason = error instanceof Error ? error.message : String(error)
      log(`could not ${what} from upstream "${source.registry}": ${reason}`)
    }
  }
}
