import type { Descriptor } from '../oci/descriptor.ts'
import type { ChunkSizes } from './chunks.ts'

// A dead worker loses what it has read and not sent, so small chunks lose less; each costs the registry
// some milliseconds, and a write to its disk that it waits for. Object stores take no parts below 5 MiB,
// but distribution gathers smaller ones itself.
const SMALLEST = 4 * 1024 * 1024
const LARGEST = 8 * 1024 * 1024
/** For the large ones: else too much of a blob is on its way. */
const CHUNKS_PER_BLOB = 16
/** A registry that asks for more gets what can be held in memory. */
const MOST_THAT_IS_HEEDED = 64 * 1024 * 1024

/** @param minimum the smallest chunk that the registry says it takes */
export function chunkSizes({ size }: Descriptor, minimum = 0): ChunkSizes {
  const least = Math.max(SMALLEST, Math.min(minimum, MOST_THAT_IS_HEEDED))
  return { least, most: Math.max(least, Math.min(LARGEST, Math.ceil(size / CHUNKS_PER_BLOB))) }
}
