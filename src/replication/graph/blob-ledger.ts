import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'
import type { UploadCheckpoint } from '../ports.ts'
import type { TransferState } from '../pace/patience.ts'

/** What is known of one blob at some moment. */
export interface KnownBlob {
  /** Repositories that were seen to hold it, the latest first; a few at most. */
  readonly holders: readonly Repository[]
  /** How far the worker is that is bringing it, some seconds ago; absent when none is. */
  readonly coming?: TransferState
}

/** The right to bring one blob, until it is disposed of or the blob has landed. */
export interface BlobLease extends AsyncDisposable, Pick<KnownBlob, 'holders'> {
  /** The upstream of the lease has given it, and the repository holds it. Ends the right. */
  landed(repository: Repository): Promise<void>
}

/**
 * What all workers together know of the local registry's blobs: where one is, and who is bringing
 * it. Knowledge can be wrong, since registries collect garbage; whoever finds out says so.
 */
export interface BlobLedger {
  look(digest: Digest): Promise<KnownBlob>
  landed(digest: Digest, repository: Repository): Promise<void>
  notThere(digest: Digest, repository: Repository): Promise<void>
  /** Whether that upstream has given the blob, or proven that it has it; only then may it be linked. */
  isGivenBy(digest: Digest, upstream: string): Promise<boolean>
  givenBy(digest: Digest, upstream: string): Promise<void>
  /**
   * The right to bring the blob, kept up by a heartbeat, which tells how far it is, until it is
   * disposed of, or undefined while another worker has it. The right of one that died lapses within
   * seconds.
   *
   * @param instead the holder who may lose the right to this one
   */
  lease(digest: Digest, state: TransferState, instead?: string): Promise<BlobLease | undefined>
  /** Where the state of the upload of this blob to this repository is kept. */
  checkpoint(digest: Digest, repository: Repository): UploadCheckpoint
}

const NO_CHECKPOINT: UploadCheckpoint = {
  load: () => Promise.resolve(undefined),
  save: () => Promise.resolve(),
  clear: () => Promise.resolve(),
}

/** For one process alone, which needs no rights among itself and remembers nothing. */
export const NO_LEDGER: BlobLedger = {
  look: () => Promise.resolve({ holders: [] }),
  landed: () => Promise.resolve(),
  notThere: () => Promise.resolve(),
  isGivenBy: () => Promise.resolve(false),
  givenBy: () => Promise.resolve(),
  lease: () =>
    Promise.resolve({
      holders: [],
      landed: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  checkpoint: () => NO_CHECKPOINT,
}
