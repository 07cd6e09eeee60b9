import type { Manifest } from '../../oci/manifest.ts'
import type { WantedPlatforms } from '../../oci/platforms.ts'
import type { WithRightTo } from '../tag-right.ts'
import type { BlobCopy } from './copy-blob.ts'

/** What copying a manifest with everything below it needs. */
export interface GraphCopy extends Omit<BlobCopy, 'signal'> {
  readonly platforms: WantedPlatforms
  /** What refers to it comes along. */
  readonly referrers: boolean
  /** Absent where nobody waits for a part of it. */
  readonly demand?: Demand
  /** Asked when everything else is there: whether the root is still to be put under its reference. */
  readonly isStillWanted?: () => Promise<boolean>
  /** Absent where nobody else writes tags. */
  readonly withRightTo?: WithRightTo
  readonly signal: AbortSignal
  readonly log: (line: string) => void
}

/** What of an index is to come before the rest. */
export interface Demand {
  /**
   * Resolves when it is the turn of that manifest's blobs; what it gives back is to be called when they
   * are there, or failed. Rejects with the signal's reason.
   */
  turn(manifest: Manifest, signal: AbortSignal): Promise<() => void>
}
