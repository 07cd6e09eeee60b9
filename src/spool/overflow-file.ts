import type { BlobFile } from './spool-file.ts'

/** Of each blob that clients follow when the disk takes no more. */
const CAPACITY = 4 * 1024 * 1024

/**
 * A file that goes on in memory when its disk takes no more: who follows the blob closely goes on with it. What is on
 * the disk stays, for whoever continues from there.
 */
export class OverflowFile implements BlobFile {
  readonly onDisk: BlobFile
  readonly from: number
  readonly #onRefused: (error: unknown) => void
  /** The latest bytes that are not on the disk, once it has refused some. */
  readonly #latest: Buffer[] = []
  #latestFrom = 0
  #length: number | undefined

  constructor(onDisk: BlobFile, onRefused: (error: unknown) => void) {
    this.onDisk = onDisk
    this.from = onDisk.from
    this.#onRefused = onRefused
  }

  get length(): number {
    return this.#length ?? this.onDisk.length
  }

  get capacity(): number {
    return this.#length === undefined ? this.onDisk.capacity : CAPACITY
  }

  get keptUntil(): number {
    return this.#length === undefined ? this.onDisk.keptUntil : this.onDisk.length
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    if (this.#length === undefined) {
      try {
        await this.onDisk.append(pieces)
        return
      } catch (error) {
        this.#onRefused(error)
        this.#length = this.onDisk.length
        this.#latestFrom = this.#length
      }
    }
    for (const piece of pieces) {
      this.#latest.push(piece)
      this.#length += piece.length
    }
    this.#forget(this.#length - CAPACITY)
  }

  async read(at: number, length: number): Promise<Buffer> {
    if (this.#length === undefined || at < this.onDisk.length)
      return await this.onDisk.read(at, length)
    let from = this.#latestFrom
    for (const piece of this.#latest) {
      const within = at - from
      if (within >= 0 && within < piece.length) return piece.subarray(within, within + length)
      from += piece.length
    }
    throw new Error(`the bytes from ${at} on are in memory no more`)
  }

  async close(): Promise<void> {
    await this.onDisk.close()
  }

  #forget(until: number): void {
    for (let [first] = this.#latest; first !== undefined; [first] = this.#latest) {
      if (this.#latestFrom + first.length > until) return
      this.#latest.shift()
      this.#latestFrom += first.length
    }
  }
}
