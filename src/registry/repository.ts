import type { Readable } from 'node:stream'
import type { BlobPart, Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference, Repository, Tag } from '../oci/reference.ts'
import type { Referrer } from '../oci/referrer-list.ts'
import type {
  Certainty,
  ContentSource,
  HowToFetch,
  OpenBlob,
  ContentTarget,
  Held,
  ManifestHead,
  RemovalTarget,
  HowToBring,
} from '../replication/ports.ts'
import { getBlobPart } from './content/blob-part.ts'
import { getBlob, givesBlob, hasBlob, type NamedBlob } from './content/blobs.ts'
import { deleteManifest } from './content/delete-manifest.ts'
import { heldAt } from './content/held-manifest.ts'
import { getManifest, headManifest, putManifest } from './content/manifests.ts'
import { listTags } from './content/catalog.ts'
import { type Action, proveAccess, type ProvenAccess } from './content/prove-access.ts'
import { hasReferrersApi, listReferrers, listReferrersByApi } from './content/referrers.ts'
import type { RepositorySession } from './session.ts'
import { putBlob } from './upload/put-blob.ts'
import { cancelUpload, mountBlob } from './upload/uploads.ts'

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

  /** An upload that was left; false when it may still be there. */
  cancelUpload(location: URL): Promise<boolean> {
    return cancelUpload(this.#session, location)
  }

  proveAccess(actions: readonly Action[], signal: AbortSignal): Promise<ProvenAccess> {
    return proveAccess(this.#session, actions, signal)
  }

  headManifest(
    reference: Reference,
    signal: AbortSignal,
    how?: Certainty,
  ): Promise<ManifestHead | undefined> {
    return headManifest(this.#session, reference, signal, how)
  }

  heldAt(reference: Reference, signal: AbortSignal): Promise<Held | undefined> {
    return heldAt(this.#session, reference, signal)
  }

  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined> {
    return getManifest(this.#session, reference, signal)
  }

  tags(signal: AbortSignal): AsyncIterable<readonly Tag[]> {
    return listTags(this.#session, signal)
  }

  listReferrers(
    subject: Digest,
    signal: AbortSignal,
    skipped?: (reason: string) => void,
  ): Promise<readonly Referrer[]> {
    return listReferrers(this.#session, { subject, ...(skipped && { skipped }) }, signal)
  }

  listReferrersByApi(
    subject: Digest,
    signal: AbortSignal,
  ): Promise<readonly Referrer[] | undefined> {
    return listReferrersByApi(this.#session, subject, signal)
  }

  hasReferrersApi(subject: Digest, signal: AbortSignal): Promise<boolean> {
    return hasReferrersApi(this.#session, subject, signal)
  }

  async getBlob(
    descriptor: Descriptor,
    signal: AbortSignal,
    { meter, ...how }: HowToFetch = {},
  ): Promise<Readable> {
    const body = await getBlob(this.#session, descriptor, signal, how)
    return meter === undefined ? body : meter(body)
  }

  getBlobPart(
    descriptor: Descriptor,
    part: BlobPart,
    signal: AbortSignal,
  ): Promise<Buffer | undefined> {
    return getBlobPart(this.#session, descriptor, part, signal)
  }

  hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    return hasBlob(this.#session, digest, signal)
  }

  givesBlob(blob: NamedBlob, signal: AbortSignal): Promise<boolean> {
    return givesBlob(this.#session, blob, signal)
  }

  putBlob(descriptor: Descriptor, body: Readable, signal: AbortSignal): Promise<void> {
    const open = () => Promise.resolve(body)
    return putBlob(this.#session, { descriptor, open }, signal).then(() => undefined)
  }

  async bringBlob(
    descriptor: Descriptor,
    open: OpenBlob,
    signal: AbortSignal,
    { unlessThere = false, ...how }: HowToBring = {},
  ): Promise<'copied' | 'skipped'> {
    const tells = Date.now() >= this.#session.learned.mountsNothingUntil
    if (unlessThere && !tells && (await this.hasBlob(descriptor.digest, signal))) return 'skipped'
    const upload = { descriptor, open, unlessThere: unlessThere && tells, ...how }
    return await putBlob(this.#session, upload, signal)
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
