import type { Digest } from '../oci/digest.ts'
import type { Repository } from '../oci/reference.ts'
import type { UploadCheckpoint } from './ports.ts'

/**
 * What all workers together know of the local registry's blobs: where one is, and who is bringing
 * it. Knowledge can be wrong, since registries collect garbage; whoever finds out says so.
 */
export interface BlobLedger {
  /** Repositories that were seen to hold the blob, the latest first; a few at most. */
  holders(digest: Digest): Promise<readonly Repository[]>
  landed(digest: Digest, repository: Repository): Promise<void>
  notThere(digest: Digest, repository: Repository): Promise<void>
  /** Whether some worker is bringing the blob now. */
  isLeased(digest: Digest): Promise<boolean>
  /**
   * The right to bring the blob, kept up by a heartbeat until it is disposed of, or undefined while
   * another worker has it. The right of one that died lapses within seconds.
   */
  lease(digest: Digest): Promise<AsyncDisposable | undefined>
  /** Where the state of the upload of this blob to this repository is kept. */
  checkpoint(digest: Digest, repository: Repository): UploadCheckpoint
}

/** For one process alone, which needs no rights among itself and remembers nothing. */
export const NO_LEDGER: BlobLedger = {
  holders: () => Promise.resolve([]),
  landed: () => Promise.resolve(),
  notThere: () => Promise.resolve(),
  isLeased: () => Promise.resolve(false),
  lease: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
  checkpoint: () => ({
    load: () => Promise.resolve(undefined),
    save: () => Promise.resolve(),
    clear: () => Promise.resolve(),
  }),
}
