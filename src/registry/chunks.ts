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
  /** None where there was no memory for them. */
  readonly bytes: Buffer
  readonly memory: Buffer | undefined
  /** In milliseconds; 0 where nothing was read. */
  readonly bytesPerMs: number
}

/** Uploads of slow bodies hold memory for long; whoever finds none for a while passes a chunk through. */
const MEMORY_WITHIN_MS = 1_000

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
      const { bytes, memory } = lent
      const length = beginnings.lengthOf(lent)
      if (length > bytes.length) {
        yield { length, body: new NextBytes(bytes, body, length, passing) }
        next = beginnings.read()
      } else {
        next = beginnings.read()
        yield { length, body: bytes }
      }
      if (memory !== undefined) buffers.giveBack(memory)
      lent = undefined
    }
  } finally {
    if (lent?.memory !== undefined) buffers.forget(lent.memory)
    stop.abort()
    body.destroy()
    const unused = await next.catch(() => undefined)
    if (unused?.memory !== undefined && unused !== lent) buffers.giveBack(unused.memory)
  }
}

/** The first bytes of each chunk. Who gets them gives their memory back. */
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
  lengthOf({ bytes, memory, bytesPerMs }: Beginning): number {
    if (this.#ended) return bytes.length
    const { least, lengthAt } = this.#chunked
    const wanted = memory === undefined ? least : lengthAt(bytesPerMs)
    const more = Math.max(0, Math.min(wanted - bytes.length, this.#left - 1))
    this.#left -= more
    return bytes.length + more
  }

  async #read(): Promise<Beginning | undefined> {
    if (this.#ended || this.#left === 0) return undefined
    const { least } = this.#chunked
    // Whether there is more than there should be is seen without.
    if (this.#left === 1) return await this.#readInto(Buffer.alloc(1), undefined)
    const memory = await this.#buffers.takeWithin(MEMORY_WITHIN_MS, least, this.#signal)
    if (memory === undefined) return { bytes: Buffer.alloc(0), memory, bytesPerMs: 0 }
    try {
      const read = await this.#readInto(memory, memory)
      if (read === undefined) this.#buffers.giveBack(memory)
      return read
    } catch (error) {
      this.#buffers.giveBack(memory)
      throw error
    }
  }

  async #readInto(buffer: Buffer, memory: Buffer | undefined): Promise<Beginning | undefined> {
    const { body, least, passing } = this.#chunked
    const begunAt = performance.now()
    const wanted = Math.min(least, this.#left)
    const filled = await readInto(body, buffer.subarray(0, wanted))
    const bytesPerMs = filled / (performance.now() - begunAt)
    this.#ended = filled < wanted
    this.#left -= filled
    const bytes = buffer.subarray(0, filled)
    passing(bytes)
    return filled > 0 ? { bytes, memory, bytesPerMs } : undefined
  }
}
