import type { Digest } from '../oci/digest.ts'

/** How far a copy is; known sizes only, so the totals grow while an index is being walked. */
export interface Progress {
  readonly bytes: number
  readonly totalBytes: number
  readonly blobs: number
  readonly totalBlobs: number
  /** Blobs that are coming right now, the oldest first; of many only so many as a record should hold. */
  readonly underWay: readonly BlobProgress[]
}

/** How far one blob is that is coming right now. */
export interface BlobProgress {
  readonly digest: Digest
  /** Of its `size`. */
  readonly bytes: number
  readonly size: number
}
