import type { BlobFile } from './spool-file.ts'

/** Somebody who reads a blob while it comes. */
export interface BlobReader {
  /** Its next byte, counted from where the file begins. */
  at: number
  /** It has fallen behind, and what it is to read next is gone. */
  readonly dropped: boolean
}

/** In which a follower may hold a window up, over all of its reading, in milliseconds. */
const FOLLOWERS_PATIENCE_MS = 5_000

/** Of a file: what is kept for good, and the latest bytes. */
type Window = Pick<BlobFile, 'length' | 'capacity' | 'keptUntil'>

interface Reading extends BlobReader {
  dropped: boolean
  /** What is left of the patience with it, in milliseconds. */
  patienceMs: number
}

/**
 * Where the readers of a window are. The copy itself is waited for; of those that follow it, the slowest is
 * left behind before it holds all others up: it has the rest once that has landed.
 */
export class BlobReaders {
  readonly #all = new Set<Reading>()
  #news: (() => void)[] = []

  begin(at: number, isFollower: boolean): BlobReader {
    const patienceMs = isFollower ? FOLLOWERS_PATIENCE_MS : Infinity
    const reading = { at, dropped: false, patienceMs }
    this.#all.add(reading)
    return reading
  }

  moved(reader: BlobReader, at: number): void {
    reader.at = at
    this.#tell()
  }

  end(reader: BlobReader): void {
    for (const reading of this.#all) if (reading === reader) this.#all.delete(reading)
    this.#tell()
  }

  /** Resolves with how many bytes of the window, which ends at `length`, nobody needs any more; 0 when it is over. */
  async room({ length, capacity, keptUntil }: Window, isOver: () => boolean): Promise<number> {
    while (!isOver()) {
      const slowest = this.#slowest(keptUntil, length - capacity)
      const room = Math.max(slowest?.at ?? length, keptUntil) + capacity - length
      if (slowest === undefined || room > 0) return room
      const since = performance.now()
      await this.#newsWithin(slowest.patienceMs)
      slowest.patienceMs -= performance.now() - since
      if (slowest.patienceMs <= 0) this.#drop(slowest)
    }
    return 0
  }

  /** Whoever waits for room looks again. */
  wake(): void {
    this.#tell()
  }

  /** Of those that need the window, and have not lost what they will need of it. */
  #slowest(keptUntil: number, windowFrom: number): Reading | undefined {
    let slowest: Reading | undefined
    let least = Infinity
    for (const reading of this.#all) {
      const needs = Math.max(reading.at, keptUntil)
      if (needs < windowFrom || needs >= least) continue
      slowest = reading
      least = needs
    }
    return slowest
  }

  #drop(reading: Reading): void {
    reading.dropped = true
    this.#all.delete(reading)
  }

  async #newsWithin(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === Infinity ? undefined : setTimeout(resolve, ms)
      this.#news.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #tell(): void {
    for (const resolve of this.#news.splice(0)) resolve()
  }
}
