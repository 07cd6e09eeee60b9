import type { Chunk } from './chunks.ts'

// A dead worker loses what it has read and not sent, so small chunks lose less; each costs the registry
// some milliseconds, and a write to its disk that it waits for. Object stores take no parts below 5 MiB,
// but distribution gathers smaller ones itself.
const SMALLEST = 4 * 1024 * 1024
/** A registry that asks for more gets what can be held in memory. */
const MOST_THAT_IS_HEEDED = 64 * 1024 * 1024

/** @param minimum the smallest chunk that the registry says it takes */
export function leastChunk(minimum = 0): number {
  return Math.max(SMALLEST, Math.min(minimum, MOST_THAT_IS_HEEDED))
}

// From 32 MiB/s on, fetching again what is lost with a dead worker takes less time than many small chunks
// cost everybody: with each, distribution waits for its disk.
const FAST_BYTES_PER_MS = 32 * 1024
const LONGEST = 128 * 1024 * 1024
/** A worker that is asked to stop still sends what is on its way. */
const LONG_MS = 1_000

/**
 * How many bytes to send at once of a body that comes as fast as `comingPerMs`, to a registry that took
 * those before as fast as `takenPerMs`.
 */
export function longChunk(comingPerMs: number, takenPerMs: number): number {
  if (comingPerMs < FAST_BYTES_PER_MS) return 0
  return Math.floor(Math.min(LONGEST, Math.min(comingPerMs, takenPerMs) * LONG_MS))
}

// A registry on an object store takes longer for a chunk, and as long for many as for one.
const PATIENCE_MS = 500
/** For a long chunk, in which those before it take about a second. */
const LONG_PATIENCE_MS = 2 * LONG_MS

/** How long a chunk waits for those of other blobs before it is sent beside them, in milliseconds. */
export function chunkPatience({ body }: Chunk): number {
  return Buffer.isBuffer(body) ? PATIENCE_MS : LONG_PATIENCE_MS
}
