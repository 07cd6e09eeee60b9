import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference, Repository, Tag } from '../oci/reference.ts'
import type { Referrer } from '../oci/referrer-list.ts'

/** What a HEAD of a manifest tells. */
export interface ManifestHead {
  readonly digest: Digest
  readonly mediaType: string
  /** In bytes, where the registry says so. */
  readonly size?: number
}

/**
 * One repository of an upstream, to read from. "Not there" is `undefined`; everything else that
 * goes wrong is thrown. Blobs are never asked for by HEAD: chained caches answer 404 to that.
 */
export interface ContentSource {
  /** The upstream's id in the config. */
  readonly registry: string
  headManifest(reference: Reference, signal: AbortSignal): Promise<ManifestHead | undefined>
  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined>
  /** What refers to the manifest; empty where nothing does, also when it is not there. */
  listReferrers(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]>
  /** The blob's bytes, not yet verified. The caller destroys the stream when it stops early. */
  getBlob(descriptor: Descriptor, signal: AbortSignal, how?: HowToFetch): Promise<Readable>
  /** The blob is where it should be: whatever was kept to continue it has served its purpose. */
  landed?(digest: Digest): void
}

export interface HowToFetch {
  /** Where to begin, in bytes; 0 unless told. */
  readonly offset?: number
  /** What the bytes go through as they come from the upstream, before whatever keeps them for later. */
  readonly meter?: (body: Readable) => Readable
  /** Told when the bytes before that are here already, so that they do not come from the upstream. */
  readonly startsAt?: (offset: number) => void
}

/** A blob's bytes from an offset on, until they are not wanted any more. */
export type OpenBlob = (offset: number, signal: AbortSignal) => Promise<Readable>

/** Where an upload in chunks has got to; whoever has this can continue it. */
export interface UploadState {
  readonly location: string
  /** Bytes that the registry has. */
  readonly offset: number
  /** Bytes per chunk, as agreed with the registry. */
  readonly chunkSize: number
}

/** Keeps the state of one upload where another worker finds it. Never rejects. */
export interface UploadCheckpoint {
  load(): Promise<UploadState | undefined>
  save(state: UploadState): Promise<void>
  clear(): Promise<void>
}

/** One repository of the local registry, to write to. */
export interface ContentTarget {
  readonly repository: Repository
  headManifest(reference: Reference, signal: AbortSignal): Promise<ManifestHead | undefined>
  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined>
  /** Whether the registry keeps the lists of referrers by itself; otherwise there are fallback tags. */
  hasReferrersApi(subject: Digest, signal: AbortSignal): Promise<boolean>
  hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean>
  /** Resolves once the registry holds the blob; on failure the upload is cancelled there. */
  putBlob(descriptor: Descriptor, body: Readable, signal: AbortSignal): Promise<void>
  /**
   * As `putBlob`, for large blobs: in chunks, continued from where the last whole one ended, whoever
   * sent it. False when the registry takes no chunks; nothing was read then.
   *
   * @param open called once at most
   */
  putBlobInChunks(
    descriptor: Descriptor,
    open: OpenBlob,
    checkpoint: UploadCheckpoint,
    signal: AbortSignal,
  ): Promise<boolean>
  /** Links a blob that another repository of the same registry holds; false when it would not. */
  mountBlob(digest: Digest, from: Repository, signal: AbortSignal): Promise<boolean>
  /** False for a while after it was noted that the registry refuses an index that lacks children. */
  takesSparseIndexes(): boolean
  noteSparseIndexRefused(): void
  putManifest(reference: Reference, manifest: Manifest, signal: AbortSignal): Promise<void>
}

/** One repository of the local registry, to remove from. */
export interface RemovalTarget extends Pick<ContentTarget, 'headManifest' | 'getManifest'> {
  /** Page by page. */
  tags(signal: AbortSignal): AsyncIterable<readonly Tag[]>
  /** A tag, or a manifest with all its tags; false where the registry does not take that. */
  deleteManifest(reference: Reference, signal: AbortSignal): Promise<boolean>
}
