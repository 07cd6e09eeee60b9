import type { Digest } from './digest.ts'
import { isManifestType, isNonDistributable } from './media-types.ts'

/** OCI image-spec, descriptor.md#platform. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

/** OCI image-spec, descriptor.md. `size` is in bytes. */
export interface Descriptor {
  /** Empty where the manifest does not say. */
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: Platform
  /** Where the content can be had without a registry; never empty. */
  readonly urls?: readonly string[]
  /** The content itself, proven, where the manifest carries it. */
  readonly data?: Buffer
  /** The image in the same index that this entry is an attestation of. */
  readonly attestationOf?: Digest
}

/**
 * Content that is not to be distributed and that clients fetch from elsewhere: registries do not ask
 * for it. Without a place to fetch it from, it is content like any other, or nobody could have it.
 */
export function isLeftElsewhere({ mediaType, urls }: Descriptor): boolean {
  return isNonDistributable(mediaType) && urls !== undefined
}

/** An index should name nothing else; where it does not say what it names, it is tried as one. */
export function mayBeManifest({ mediaType }: Descriptor): boolean {
  return mediaType === '' || isManifestType(mediaType)
}

/** Some of a blob's bytes. */
export interface BlobPart {
  readonly offset: number
  /** In bytes, not 0. */
  readonly length: number
}
