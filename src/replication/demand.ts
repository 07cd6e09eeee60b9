import type { Manifest } from '../oci/manifest.ts'

/** What of an index is to come before the rest. */
export interface Demand {
  /**
   * Resolves when it is the turn of that manifest's blobs; what it gives back is to be called when they
   * are there, or failed. Rejects with the signal's reason.
   */
  turn(manifest: Manifest, signal: AbortSignal): Promise<() => void>
}
