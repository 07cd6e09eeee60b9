import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference, Repository, Tag } from '../oci/reference.ts'
import type { Referrer } from '../oci/referrer-list.ts'
import type {
  ContentSource,
  HowToFetch,
  OpenBlob,
  ContentTarget,
  ManifestHead,
  RemovalTarget,
  UploadCheckpoint,
} from '../replication/ports.ts'
import { getBlob, hasBlob } from './blobs.ts'
import { putBlobInChunks } from './chunked-upload.ts'
import { deleteManifest } from './delete-manifest.ts'
import { getManifest, headManifest, putManifest } from './manifests.ts'
import { listTags } from './names.ts'
import { hasReferrersApi, listReferrers } from './referrers.ts'
import type { RepositorySession } from './session.ts'
import { mountBlob, putBlob } from './uploads.ts'

// A registry can be upgraded or set up otherwise; one refused push in an hour costs nothing.
const SPARSE_AGAIN_MS = 3_600_000

/**
 * One repository of one registry, to read and to write. Everything that goes wrong is a
 * RegistryError, a CorruptBlobError, the error of a body that was given, or the signal's reason.
 */
export class RegistryRepository implements ContentSource, ContentTarget, RemovalTarget {
  readonly registry: string
  readonly repository: Repository
  readonly #session: RepositorySession

  constructor(session: RepositorySession) {
    this.registry = session.identity.id
    this.repository = session.repository
    this.#session = session
  }

  headManifest(reference: Reference, signal: AbortSignal): Promise<ManifestHead | undefined> {
    return headManifest(this.#session, reference, signal)
  }

  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined> {
    return getManifest(this.#session, reference, signal)
  }

  tags(signal: AbortSignal): AsyncIterable<readonly Tag[]> {
    return listTags(this.#session, signal)
  }

  listReferrers(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]> {
    return listReferrers(this.#session, subject, signal)
  }

  hasReferrersApi(subject: Digest, signal: AbortSignal): Promise<boolean> {
    return hasReferrersApi(this.#session, subject, signal)
  }

  async getBlob(
    descriptor: Descriptor,
    signal: AbortSignal,
    { offset, meter }: HowToFetch = {},
  ): Promise<Readable> {
    const body = await getBlob(this.#session, descriptor, signal, offset)
    return meter === undefined ? body : meter(body)
  }

  hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    return hasBlob(this.#session, digest, signal)
  }

  putBlob(descriptor: Descriptor, body: Readable, signal: AbortSignal): Promise<void> {
    return putBlob(this.#session, descriptor, body, signal)
  }

  putBlobInChunks(
    descriptor: Descriptor,
    open: OpenBlob,
    checkpoint: UploadCheckpoint,
    signal: AbortSignal,
  ): Promise<boolean> {
    return putBlobInChunks(this.#session, { descriptor, open, checkpoint }, signal)
  }

  mountBlob(digest: Digest, from: Repository, signal: AbortSignal): Promise<boolean> {
    return mountBlob(this.#session, digest, from, signal)
  }

  takesSparseIndexes(): boolean {
    return Date.now() >= this.#session.learned.refusesSparseIndexesUntil
  }

  noteSparseIndexRefused(): void {
    this.#session.learned.refusesSparseIndexesUntil = Date.now() + SPARSE_AGAIN_MS
  }

  deleteManifest(reference: Reference, signal: AbortSignal): Promise<boolean> {
    return deleteManifest(this.#session, reference, signal)
  }

  putManifest(reference: Reference, manifest: Manifest, signal: AbortSignal): Promise<void> {
    return putManifest(this.#session, reference, manifest, signal)
  }
}
