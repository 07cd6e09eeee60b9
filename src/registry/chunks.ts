import type { Readable } from 'node:stream'
import type { ChunkBuffers } from './chunk-buffers.ts'
import { readInto } from './read-into.ts'

/** In bytes; the last chunk of a body is as short as it is. */
export interface ChunkSizes {
  readonly least: number
  /** For bodies that come fast: memory is not held for long then, and requests are saved. */
  readonly most: number
}

export interface ChunkedBody {
  readonly body: Readable
  readonly sizes: ChunkSizes
  /** What the body should have, in bytes; one more at most is read. */
  readonly size: number
}

interface Chunk {
  readonly buffer: Buffer
  readonly length: number
}

/**
 * A body in chunks of one of two sizes, the last one shorter. Each is the caller's until it asks for
 * the next one, which is read meanwhile if there is memory for it. Destroys the body.
 */
export async function* chunksOf(
  chunked: ChunkedBody,
  buffers: ChunkBuffers,
): AsyncGenerator<Buffer, undefined> {
  const stop = new AbortController()
  const read = chunkReader(chunked, buffers, stop.signal)
  let next = ahead(read)
  let lent: Chunk | undefined
  try {
    for (;;) {
      const chunk = await next.result
      if (chunk === undefined) return undefined
      next = ahead(read)
      lent = chunk
      yield chunk.buffer.subarray(0, chunk.length)
      lent = undefined
      buffers.giveBack(chunk.buffer)
    }
  } finally {
    if (lent !== undefined) buffers.forget(lent.buffer)
    stop.abort()
    chunked.body.destroy()
    const unused = await next.result.catch(() => undefined)
    if (unused !== undefined) buffers.giveBack(unused.buffer)
  }
}

const FAST_BYTES_PER_MS = 16 * 1024

/** Begins to read; a failure waits until it is asked for. */
function ahead(read: () => Promise<Chunk | undefined>) {
  const result = read()
  result.catch(() => undefined)
  return { result }
}

/** One call after the other; undefined after the last byte. Who gets a chunk gives its buffer back. */
function chunkReader(
  { body, sizes, size }: ChunkedBody,
  buffers: ChunkBuffers,
  signal: AbortSignal,
): () => Promise<Chunk | undefined> {
  // Between two chunks, too: the next one tells.
  body.on('error', () => undefined)
  let left = size + 1
  let ended = false
  let fast = false
  return async () => {
    if (ended || left === 0) return undefined
    const buffer = await buffers.take(fast ? sizes.most : sizes.least, signal)
    try {
      const begunAt = performance.now()
      const wanted = Math.min(buffer.length, left)
      const length = await readInto(body, buffer.subarray(0, wanted))
      fast = length / (performance.now() - begunAt) > FAST_BYTES_PER_MS
      ended = length < wanted
      left -= length
      if (length > 0) return { buffer, length }
    } catch (error) {
      buffers.giveBack(buffer)
      throw error
    }
    buffers.giveBack(buffer)
    return undefined
  }
}
