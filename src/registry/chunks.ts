import type { Readable } from 'node:stream'
import type { ChunkBuffers } from './chunk-buffers.ts'
import { NextBytes } from './next-bytes.ts'
import { readInto } from './read-into.ts'

export interface ChunkedBody {
  readonly body: Readable
  /** What the body should have, in bytes; one more at most is read. */
  readonly size: number
  /** Bytes of a chunk that is sent from memory; only the last one is shorter. */
  readonly least: number
  /** How long a chunk is to be whose first bytes came at that rate; up to `least` it is sent from memory. */
  readonly lengthAt: (bytesPerMs: number) => number
  /** Sees every byte before it is sent, in their order. */
  readonly passing: (piece: Buffer) => void
}

export interface Chunk {
  /** In bytes. */
  readonly length: number
  /** What is longer than what memory is for comes as it is fetched. */
  readonly body: Buffer | Readable
}

interface Beginning {
  readonly buffer: Buffer
  /** In bytes. */
  readonly filled: number
  readonly bytesPerMs: number
}

/**
 * A body in chunks. Each is the caller's until it asks for the next one, which is read meanwhile if
 * this one is in memory and there is memory for it. Destroys the body.
 */
export async function* chunksOf(
  chunked: ChunkedBody,
  buffers: ChunkBuffers,
): AsyncGenerator<Chunk, undefined> {
  const { body, passing } = chunked
  const stop = new AbortController()
  const beginnings = new Beginnings(chunked, buffers, stop.signal)
  let next = beginnings.read()
  let lent: Beginning | undefined
  try {
    for (;;) {
      lent = await next
      if (lent === undefined) return undefined
      const bytes = lent.buffer.subarray(0, lent.filled)
      const length = beginnings.lengthOf(lent)
      if (length > bytes.length) {
        yield { length, body: new NextBytes(bytes, body, length, passing) }
        next = beginnings.read()
      } else {
        next = beginnings.read()
        yield { length, body: bytes }
      }
      buffers.giveBack(lent.buffer)
      lent = undefined
    }
  } finally {
    if (lent !== undefined) buffers.forget(lent.buffer)
    stop.abort()
    body.destroy()
    const unused = await next.catch(() => undefined)
    if (unused !== undefined && unused !== lent) buffers.giveBack(unused.buffer)
  }
}

/** The first bytes of each chunk. Who gets them gives their buffer back. */
class Beginnings {
  readonly #chunked: ChunkedBody
  readonly #buffers: ChunkBuffers
  readonly #signal: AbortSignal
  /** One more than there should be. */
  #left: number
  #ended = false

  constructor(chunked: ChunkedBody, buffers: ChunkBuffers, signal: AbortSignal) {
    this.#chunked = chunked
    this.#buffers = buffers
    this.#signal = signal
    this.#left = chunked.size + 1
    // Between two chunks, too: the next one tells.
    chunked.body.on('error', () => undefined)
  }

  /** One call after the other; undefined after the last byte. A failure waits until it is asked for. */
  read(): Promise<Beginning | undefined> {
    const reading = this.#read()
    reading.catch(() => undefined)
    return reading
  }

  /** In bytes. To be asked once, and before what follows is read. */
  lengthOf({ filled, bytesPerMs }: Beginning): number {
    if (this.#ended) return filled
    const more = Math.min(this.#chunked.lengthAt(bytesPerMs) - filled, this.#left - 1)
    if (more <= 0) return filled
    this.#left -= more
    return filled + more
  }

  async #read(): Promise<Beginning | undefined> {
    if (this.#ended || this.#left === 0) return undefined
    const { body, least, passing } = this.#chunked
    const buffer = await this.#buffers.take(least, this.#signal)
    try {
      const begunAt = performance.now()
      const wanted = Math.min(least, this.#left)
      const filled = await readInto(body, buffer.subarray(0, wanted))
      const bytesPerMs = filled / (performance.now() - begunAt)
      this.#ended = filled < wanted
      this.#left -= filled
      passing(buffer.subarray(0, filled))
      if (filled > 0) return { buffer, filled, bytesPerMs }
    } catch (error) {
      this.#buffers.giveBack(buffer)
      throw error
    }
    this.#buffers.giveBack(buffer)
    return undefined
  }
}
