import type { Readable } from 'node:stream'
import type { BlobPart, Descriptor } from '../oci/descriptor.ts'
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
  /** The manifest itself, where the registry had to be asked for that to tell its digest. */
  readonly manifest?: Manifest
}

export interface Certainty {
  /** That it is not there is to be shown now: a right to read that was shown before does not count. */
  readonly certain?: boolean
}

/**
 * One repository of an upstream, to read from. "Not there" is `undefined`; everything else that
 * goes wrong is thrown. Blobs are never asked for by HEAD: chained caches answer 404 to that.
 */
export interface ContentSource {
  /** The upstream's id in the config. */
  readonly registry: string
  headManifest(
    reference: Reference,
    signal: AbortSignal,
    how?: Certainty,
  ): Promise<ManifestHead | undefined>
  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined>
  /**
   * What refers to the manifest; empty where nothing does, also when it is not there.
   *
   * @param skipped told of what the list holds and cannot be read, and why
   */
  listReferrers(
    subject: Digest,
    signal: AbortSignal,
    skipped?: (reason: string) => void,
  ): Promise<readonly Referrer[]>
  /** The same in one request, where the registry keeps the lists by itself; else undefined. */
  listReferrersByApi(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[] | undefined>
  /** Whether it has the blob, proven by a byte of it: to a HEAD registries answer what is not so. */
  givesBlob(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>
  /** The blob's bytes, not yet verified. The caller destroys the stream when it stops early. */
  getBlob(descriptor: Descriptor, signal: AbortSignal, how?: HowToFetch): Promise<Readable>
  /** A few of its bytes, not to be verified by themselves; undefined where the registry gives no parts of blobs. */
  getBlobPart?(
    descriptor: Descriptor,
    part: BlobPart,
    signal: AbortSignal,
  ): Promise<Buffer | undefined>
  /** Whether clients wait for what comes: then a blob may be asked for that turns out to be there already. */
  isFollowed?(): boolean
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
  /** A slot for one more connection, if there is one to spare, and how to give it back. Absent: one is enough. */
  readonly extra?: () => (() => void) | undefined
}

/** A blob's bytes from an offset on, until they are not wanted any more. */
export type OpenBlob = (offset: number, signal: AbortSignal) => Promise<Readable>

/** Where an upload has got to; whoever has this can continue it. */
export interface UploadState {
  readonly location: string
  /** Bytes that the registry has, at least. */
  readonly offset: number
}

/** Keeps the state of one upload where another worker finds it. Never rejects. */
export interface UploadCheckpoint {
  load(): Promise<UploadState | undefined>
  save(state: UploadState): Promise<void>
  clear(): Promise<void>
}

/** What the local registry has under a reference. */
export interface Held {
  /** Undefined where the registry withholds what it has under a tag, and so does not tell. */
  readonly digest: Digest | undefined
  /** A policy of the registry keeps it from everybody: it is not signed, or not scanned. */
  readonly withheld: boolean
}

export interface HowToBring {
  /** Absent where nobody is to continue it. */
  readonly checkpoint?: UploadCheckpoint
  /** Whether the registry may have the blob; false unless told. */
  readonly unlessThere?: boolean
}

/** One repository of the local registry, to write to. */
export interface ContentTarget {
  readonly repository: Repository
  /** Undefined where there is nothing. */
  heldAt(reference: Reference, signal: AbortSignal): Promise<Held | undefined>
  getManifest(reference: Reference, signal: AbortSignal): Promise<Manifest | undefined>
  /** As an upstream's. */
  listReferrers(subject: Digest, signal: AbortSignal): Promise<readonly Referrer[]>
  /** Whether the registry keeps the lists of referrers by itself; otherwise there are fallback tags. */
  hasReferrersApi(subject: Digest, signal: AbortSignal): Promise<boolean>
  hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean>
  /** As `hasBlob`, proven by a byte of it. */
  givesBlob(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>
  /** Resolves once the registry holds the blob; on failure the upload is cancelled there. */
  putBlob(descriptor: Descriptor, body: Readable, signal: AbortSignal): Promise<void>
  /**
   * As `putBlob`, continued from where the registry has got to, whoever sent that. On failure it is left
   * there for whoever has the checkpoint, if that may be of use. Skipped when it is there already, as far as
   * that is to be seen.
   *
   * @param open called once, again from the beginning, or not at all
   */
  bringBlob(
    descriptor: Descriptor,
    open: OpenBlob,
    signal: AbortSignal,
    how?: HowToBring,
  ): Promise<'copied' | 'skipped'>
  /** Links a blob that another repository of the same registry holds; false when it would not. */
  mountBlob(digest: Digest, from: Repository, signal: AbortSignal): Promise<boolean>
  /** False for a while after it was noted that the registry refuses an index that lacks children. */
  takesSparseIndexes(): boolean
  noteSparseIndexRefused(): void
  putManifest(reference: Reference, manifest: Manifest, signal: AbortSignal): Promise<void>
}

/** One repository of the local registry, to remove from. */
export interface RemovalTarget extends Pick<
  ContentTarget,
  'repository' | 'heldAt' | 'getManifest'
> {
  /** Page by page. */
  tags(signal: AbortSignal): AsyncIterable<readonly Tag[]>
  /** A tag, or a manifest with all its tags; false where the registry does not take that. */
  deleteManifest(reference: Reference, signal: AbortSignal): Promise<boolean>
}
