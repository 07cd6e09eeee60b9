import type { Digest } from '../oci/digest.ts'
import type { Repository } from '../oci/reference.ts'

/** Where the blob landed; undefined when that transfer failed. */
export type Landing = Repository | undefined

/**
 * The blobs that are being copied to the local registry right now, by this process. Whoever needs
 * one of them waits for it and takes it from where it landed, instead of asking upstream again.
 */
export class BlobFlights {
  readonly #flights = new Map<Digest, Promise<Landing>>()

  /** The landing of a transfer that is under way, if there is one. Never rejects. */
  underWay(digest: Digest): Promise<Landing> | undefined {
    return this.#flights.get(digest)
  }

  /**
   * Runs the transfer; it must not be under way already.
   *
   * @param transfer gives undefined when it did not bring the blob after all
   */
  async run<T>(
    digest: Digest,
    into: Repository,
    transfer: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const running = transfer()
    const landing = running.then(
      (result) => (result === undefined ? undefined : into),
      () => undefined,
    )
    this.#flights.set(digest, landing)
    try {
      return await running
    } finally {
      this.#flights.delete(digest)
    }
  }
}
