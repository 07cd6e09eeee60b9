import type { Digest } from '../oci/digest.ts'

/** How a job ended as expected. Everything else is thrown. */
export type Outcome =
  | Copied
  | UpToDate
  /** The tag, which upstream had deleted; without a digest where the local registry withheld what it was. */
  | { readonly kind: 'deleted'; readonly digest?: Digest }
  | { readonly kind: 'not-found'; readonly upstreams: readonly string[] }
  | Refused

export interface Refused {
  readonly kind: 'refused'
  readonly reason: string
  /** It stays so unless somebody changes something; absent where there was merely nothing to do. */
  readonly failure?: true
  /** What it refers to and is not held here, but may come. */
  readonly awaits?: Digest
}

export interface UpToDate extends Referrers {
  readonly kind: 'up-to-date'
  readonly digest: Digest
}

/** Signatures, SBOMs, attestations: what came along, absent where there was nothing new. */
export interface Referrers {
  readonly referrers?: number
  /** What could not be copied, or not be looked for; the job's log says why. */
  readonly referrersFailed?: number
}

export interface Copied extends Referrers {
  readonly kind: 'copied'
  readonly upstream: string
  readonly digest: Digest
  readonly manifests: number
  readonly blobs: BlobCounts
  /** Bytes of blobs fetched from the upstream. */
  readonly bytes: number
  /** Manifests that stayed upstream because they are for other platforms. */
  readonly leftOut?: number
  /** The local registry takes complete indexes only, so every platform was copied. */
  readonly sparseRefused?: true
}

export interface BlobCounts {
  readonly copied: number
  /** Already in the target repository. */
  readonly skipped: number
  /** Linked from another repository of the target, without a transfer. */
  readonly mounted: number
  /** Left where they are: they are not to be distributed, and say where they are to be had. */
  readonly nonDistributable: number
}
