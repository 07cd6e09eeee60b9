import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { type Digest, digestOf, isDigest } from '../../../src/oci/digest.ts'
import { type Manifest, parseManifest } from '../../../src/oci/manifest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Reference, Repository } from '../../../src/oci/reference.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type { ContentSource, ContentTarget, ManifestHead } from '../../../src/replication/ports.ts'

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

  getManifest(reference: Reference): Promise<Manifest | undefined> {
    this.asked.push(`GET ${reference}`)
    return Promise.resolve(this.#find(reference))
  }

  async getBlob({ digest }: Descriptor, signal: AbortSignal): Promise<Readable> {
    this.asked.push(`GET blob ${digest}`)
    await this.beforeBlob(digest)
    signal.throwIfAborted()
    const bytes = this.blobs.get(digest)
    if (bytes === undefined) throw new Error(`no blob ${digest}`)
    return Readable.from([bytes])
  }

  hasBlob(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.blobs.has(digest))
  }

  async putBlob({ digest }: Descriptor, body: Readable): Promise<void> {
    const bytes = await buffer(body)
    this.asked.push(`PUT blob ${digest}`)
    this.blobs.set(digest, bytes)
  }

  putBlobInChunks(): Promise<boolean> {
    return Promise.resolve(false)
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

  addIndex(tag: string, children: Readonly<Record<string, Manifest>>): Manifest {
    const manifests = Object.entries(children).map(([platform, { mediaType, digest, bytes }]) => {
      const [os, architecture] = platform.split('/')
      return { mediaType, digest, size: bytes.length, platform: { os, architecture } }
    })
    return this.#addManifest(tag, OCI_INDEX, { manifests })
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
