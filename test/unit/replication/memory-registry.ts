import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { type Digest, digestOf, isDigest } from '../../../src/oci/digest.ts'
import { type Manifest, parseManifest } from '../../../src/oci/manifest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Reference, Repository } from '../../../src/oci/reference.ts'
import {
  formatReferrerList,
  parseReferrerList,
  type Referrer,
} from '../../../src/oci/referrer-list.ts'
import { referrerTag } from '../../../src/oci/referrer-tag.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type {
  ContentSource,
  ContentTarget,
  Held,
  HowToBring,
  HowToFetch,
  ManifestHead,
  OpenBlob,
} from '../../../src/replication/ports.ts'

/** One repository in memory that notes what it was asked, in order. */
export class MemoryRegistry implements ContentSource, ContentTarget {
  readonly registry: string
  readonly repository: Repository
  readonly manifests = new Map<string, Manifest>()
  readonly tags = new Map<string, Digest>()
  readonly blobs = new Map<Digest, Buffer>()
  readonly asked: string[] = []
  /** Repositories of the same registry, to link blobs from. */
  readonly neighbours = new Map<string, MemoryRegistry>()
  sparseRefused = false
  /** Without it, lists of referrers are tags, which clients keep. */
  referrersApi = false
  /** Waits here before a blob's bytes are handed out. */
  beforeBlob: (digest: Digest) => Promise<void> = async () => Promise.resolve()

  constructor(registry: string, repository: string) {
    this.registry = registry
    this.repository = repository as Repository
  }

  headManifest(reference: Reference): Promise<ManifestHead | undefined> {
    this.asked.push(`HEAD ${reference}`)
    const manifest = this.#find(reference)
    return Promise.resolve(manifest && { digest: manifest.digest, mediaType: manifest.mediaType })
  }

  async heldAt(reference: Reference): Promise<Held | undefined> {
    const head = await this.headManifest(reference)
    return head && { digest: head.digest, withheld: false }
  }

  getManifest(reference: Reference): Promise<Manifest | undefined> {
    this.asked.push(`GET ${reference}`)
    return Promise.resolve(this.#find(reference))
  }

  listReferrers(subject: Digest): Promise<readonly Referrer[]> {
    this.asked.push(`referrers of ${subject}`)
    if (this.referrersApi) return Promise.resolve(this.#referrersOf(subject))
    const index = this.#find(referrerTag(subject, 'fallback') ?? subject)
    const list = index && parseReferrerList(index.bytes)
    return Promise.resolve(list?.ok === true ? list.value : [])
  }

  listReferrersByApi(subject: Digest): Promise<readonly Referrer[] | undefined> {
    return this.referrersApi ? this.listReferrers(subject) : Promise.resolve(undefined)
  }

  hasReferrersApi(): Promise<boolean> {
    return Promise.resolve(this.referrersApi)
  }

  async getBlob(
    { digest }: Descriptor,
    signal: AbortSignal,
    { meter = (body) => body }: HowToFetch = {},
  ): Promise<Readable> {
    this.asked.push(`GET blob ${digest}`)
    await this.beforeBlob(digest)
    signal.throwIfAborted()
    const bytes = this.blobs.get(digest)
    if (bytes === undefined) throw new Error(`no blob ${digest}`)
    return meter(Readable.from([bytes]))
  }

  hasBlob(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.blobs.has(digest))
  }

  givesBlob({ digest }: Descriptor): Promise<boolean> {
    this.asked.push(`GET a byte of ${digest}`)
    return this.hasBlob(digest)
  }

  async putBlob({ digest }: Descriptor, body: Readable): Promise<void> {
    const bytes = await buffer(body)
    this.asked.push(`PUT blob ${digest}`)
    this.blobs.set(digest, bytes)
  }

  async bringBlob(
    blob: Descriptor,
    open: OpenBlob,
    signal: AbortSignal,
    { unlessThere = false }: HowToBring = {},
  ): Promise<'copied' | 'skipped'> {
    if (unlessThere && this.blobs.has(blob.digest)) return 'skipped'
    await this.putBlob(blob, await open(0, signal))
    return 'copied'
  }

  mountBlob(digest: Digest, from: Repository): Promise<boolean> {
    this.asked.push(`mount ${digest}`)
    const bytes = this.neighbours.get(from)?.blobs.get(digest)
    if (bytes !== undefined) this.blobs.set(digest, bytes)
    return Promise.resolve(bytes !== undefined)
  }

  takesSparseIndexes(): boolean {
    return !this.sparseRefused
  }

  noteSparseIndexRefused(): void {
    this.sparseRefused = true
  }

  putManifest(reference: Reference, manifest: Manifest): Promise<void> {
    this.asked.push(`PUT ${reference}`)
    const missing = [...manifest.blobs, ...manifest.children].find(
      ({ digest }) => !this.blobs.has(digest) && !this.manifests.has(digest),
    )
    if (missing !== undefined) {
      return Promise.reject(
        new ReplicationError(`${missing.digest} is unknown`, {
          disposition: 'transient',
          content: 'missing',
        }),
      )
    }
    this.#keep(manifest, reference)
    return Promise.resolve()
  }

  /** An image with these layers, under the tag. */
  addImage(tag: string | undefined, ...layers: string[]): Manifest {
    const descriptors = layers.map((layer) => this.#addBlob(layer, 'application/octet-stream'))
    const config = this.#addBlob(`{"of":${JSON.stringify(layers)}}`, 'application/json')
    return this.#addManifest(tag, OCI_MANIFEST, { config, layers: descriptors })
  }

  /** A manifest that refers to another, with the list of such where this registry leaves it to clients. */
  addReferrer(subject: Manifest, layer: string): Manifest {
    const config = this.#addBlob(`{"about":${JSON.stringify(layer)}}`, 'application/json')
    const layers = [this.#addBlob(layer, 'application/octet-stream')]
    const { mediaType, digest, bytes } = subject
    const content = { config, layers, subject: { mediaType, digest, size: bytes.length } }
    const referrer = this.#addManifest(undefined, OCI_MANIFEST, content)
    if (!this.referrersApi) this.#enter(digest)
    return referrer
  }

  addIndex(tag: string, children: Readonly<Record<string, Manifest>>): Manifest {
    const manifests = Object.entries(children).map(([platform, { mediaType, digest, bytes }]) => {
      const [os, architecture] = platform.split('/')
      return { mediaType, digest, size: bytes.length, platform: { os, architecture } }
    })
    return this.#addManifest(tag, OCI_INDEX, { manifests })
  }

  #enter(subject: Digest): void {
    const list = formatReferrerList(this.#referrersOf(subject))
    if (list.ok) this.#keep(list.value, referrerTag(subject, 'fallback'))
  }

  #referrersOf(subject: Digest): readonly Referrer[] {
    return [...this.manifests.values()]
      .filter((manifest) => manifest.subject?.digest === subject)
      .map(({ mediaType, digest, bytes }) => ({
        digest,
        entry: { mediaType, digest, size: bytes.length, artifactType: 'application/test' },
      }))
  }

  #addManifest(tag: string | undefined, mediaType: string, content: object): Manifest {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }))
    const manifest = parseManifest(bytes, mediaType)
    if (!manifest.ok) throw new Error(manifest.reason)
    this.#keep(manifest.value, tag as Reference | undefined)
    return manifest.value
  }

  #addBlob(content: string, mediaType: string) {
    const bytes = Buffer.from(content)
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }

  #keep(manifest: Manifest, reference: Reference | undefined): void {
    this.manifests.set(manifest.digest, manifest)
    if (reference !== undefined && !isDigest(reference)) this.tags.set(reference, manifest.digest)
  }

  #find(reference: Reference): Manifest | undefined {
    return this.manifests.get(this.tags.get(reference) ?? reference)
  }
}
