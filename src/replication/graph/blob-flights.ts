import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'
import type { TransferState } from '../pace/patience.ts'
import { RecentBlobs } from './recent-blobs.ts'

/** Where the blob landed; undefined when that transfer failed. */
export type Landing = Repository | undefined

/** A blob that this process is bringing. */
export interface Flight {
  readonly state: TransferState
  /** Never rejects. */
  readonly landing: Promise<Landing>
}

/**
 * The blobs that are being copied to the local registry right now, by this process. Whoever needs
 * one of them waits for it and takes it from where it landed, instead of asking upstream again.
 */
export class BlobFlights {
  /** Those that are there. */
  readonly recent = new RecentBlobs()
  readonly #flights = new Map<Digest, Flight>()

  /** The transfer that is under way, if there is one. */
  underWay(digest: Digest): Flight | undefined {
    return this.#flights.get(digest)
  }

  /**
   * Runs the transfer. One that is under way already is not waited for any more.
   *
   * @param transfer gives undefined when it did not bring the blob after all
   */
  async run<T>(
    digest: Digest,
    { into, state }: { readonly into: Repository; readonly state: TransferState },
    transfer: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const running = transfer()
    const landing = running.then(
      (result) => (result === undefined ? undefined : into),
      () => undefined,
    )
    const flight = { state, landing }
    this.#flights.set(digest, flight)
    try {
      return await running
    } finally {
      if (this.#flights.get(digest) === flight) this.#flights.delete(digest)
    }
  }
}
