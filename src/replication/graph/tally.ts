import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { BlobCounts, Copied } from '../outcome.ts'
import type { BlobProgress, Progress } from '../progress.ts'

/** Progress is written several times a second, each time with all of them. */
const MOST_TOLD = 16

/** One blob's transfer; the same blob can have several, one after the other. */
export interface Arrival {
  readonly digest: Digest
  readonly size: number
}

/** What one copy has done so far. */
export class Tally {
  readonly #onProgress: (progress: Progress) => void
  readonly #blobs = { copied: 0, skipped: 0, mounted: 0, nonDistributable: 0 }
  #manifests = 0
  #referrers = 0
  #referrersFailed = 0
  #leftOut = 0
  #sparseRefused = false
  #totalBlobs = 0
  #totalBytes = 0
  /** Of blobs that are there now, however they came, and of those that are coming. */
  #bytes = 0
  #fetched = 0
  /** The bytes of those that are coming, in the order in which they began. */
  readonly #arrivals = new Map<Arrival, number>()

  constructor(onProgress: (progress: Progress) => void) {
    this.#onProgress = onProgress
  }

  get blobs(): BlobCounts {
    return { ...this.#blobs }
  }

  get manifests(): number {
    return this.#manifests
  }

  /** What became of the wish for some platforms only; empty where there was nothing to leave out. */
  get platforms(): Pick<Copied, 'leftOut' | 'sparseRefused'> {
    return {
      ...(this.#leftOut > 0 && { leftOut: this.#leftOut }),
      ...(this.#sparseRefused && { sparseRefused: true }),
    }
  }

  /** What came along with the image; empty where nothing refers to it. */
  get referrers(): Pick<Copied, 'referrers' | 'referrersFailed'> {
    return {
      ...(this.#referrers > 0 && { referrers: this.#referrers }),
      ...(this.#referrersFailed > 0 && { referrersFailed: this.#referrersFailed }),
    }
  }

  get fetchedBytes(): number {
    return this.#fetched
  }

  found(size: number): void {
    this.#totalBlobs += 1
    this.#totalBytes += size
    this.#report()
  }

  /** The blob is under way from now on, until it has arrived or is lost. */
  begin({ digest, size }: Descriptor): Arrival {
    const arrival = { digest, size }
    this.#arrivals.set(arrival, 0)
    this.#report()
    return arrival
  }

  /** Its bytes come from there on: those before are there already, those behind came in vain. */
  startsAt(arrival: Arrival, offset: number): void {
    this.#count(arrival, offset)
  }

  fetched(arrival: Arrival, bytes: number): void {
    this.#fetched += bytes
    this.#count(arrival, (this.#arrivals.get(arrival) ?? 0) + bytes)
  }

  arrived(arrival: Arrival): void {
    this.#count(arrival, arrival.size)
    this.#end(arrival)
  }

  /** The transfer failed, and what came of it was thrown away. */
  lost(arrival: Arrival): void {
    this.#count(arrival, 0)
    this.#end(arrival)
  }

  /** Bytes that need not be fetched, because the manifest itself has them. */
  kept(bytes: number): void {
    this.#bytes += bytes
    this.#report()
  }

  blob(how: keyof BlobCounts, size: number): void {
    this.#blobs[how] += 1
    if (how !== 'copied') this.#bytes += size
    this.#report()
  }

  manifest(): void {
    this.#manifests += 1
  }

  referrer(): void {
    this.#referrers += 1
  }

  referrerFailed(): void {
    this.#referrersFailed += 1
  }

  leftOut(manifests: number): void {
    this.#leftOut += manifests
  }

  sparseRefused(): void {
    this.#sparseRefused = true
  }

  #count(arrival: Arrival, bytes: number): void {
    const before = this.#arrivals.get(arrival)
    // What a broken transfer still had in its pipes.
    if (before === undefined) return
    this.#arrivals.set(arrival, bytes)
    this.#bytes += bytes - before
    this.#report()
  }

  #end(arrival: Arrival): void {
    this.#arrivals.delete(arrival)
    this.#report()
  }

  #report(): void {
    const { copied, skipped, mounted, nonDistributable } = this.#blobs
    this.#onProgress({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      blobs: copied + skipped + mounted + nonDistributable,
      totalBlobs: this.#totalBlobs,
      underWay: this.#oldestUnderWay(),
    })
  }

  #oldestUnderWay(): readonly BlobProgress[] {
    const oldest: BlobProgress[] = []
    for (const [{ digest, size }, bytes] of this.#arrivals) {
      if (oldest.length === MOST_TOLD) break
      oldest.push({ digest, bytes, size })
    }
    return oldest
  }
}
