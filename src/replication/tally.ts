import type { BlobCounts, Copied } from './outcome.ts'
import type { Progress } from './progress.ts'

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
  /** Of blobs that are there now, however they came. */
  #bytes = 0
  #fetched = 0

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

  fetched(bytes: number): void {
    this.#fetched += bytes
    this.#bytes += bytes
    this.#report()
  }

  /** Bytes that need not be fetched: of an upload that an earlier attempt had sent, or inline ones. */
  kept(bytes: number): void {
    this.#bytes += bytes
    this.#report()
  }

  /** Bytes that came and were thrown away, because the transfer failed. */
  lost(bytes: number): void {
    this.#bytes -= bytes
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

  #report(): void {
    const { copied, skipped, mounted, nonDistributable } = this.#blobs
    this.#onProgress({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      blobs: copied + skipped + mounted + nonDistributable,
      totalBlobs: this.#totalBlobs,
    })
  }
}
