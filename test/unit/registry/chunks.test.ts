import { randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ChunkBuffers } from '../../../src/registry/chunk-buffers.ts'
import { chunksOf } from '../../../src/registry/chunks.ts'

const SIGNAL = new AbortController().signal
const BYTES = randomBytes(1_000)

function streamOf(bytes: Buffer, pieceSize: number): Readable {
  const count = Math.ceil(bytes.length / pieceSize)
  const pieces = Array.from({ length: count }, (_, at) =>
    bytes.subarray(at * pieceSize, (at + 1) * pieceSize),
  )
  return Readable.from(pieces, { objectMode: false })
}

async function collected(body: Readable, chunkSize: number, size = BYTES.length) {
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(
    { body, sizes: { least: chunkSize, most: chunkSize }, size },
    new ChunkBuffers(10_000),
  )) {
    chunks.push(Buffer.from(chunk))
  }
  return chunks
}

describe('chunksOf', () => {
  it.each([
    [100, 100],
    [100, 250],
    [333, 250],
    [700, 100],
    [1, 400],
    [1_000, 5_000],
  ])('cuts pieces of %i bytes into chunks of %i', async (pieceSize, chunkSize) => {
    const chunks = await collected(streamOf(BYTES, pieceSize), chunkSize)

    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
    expect(chunks.slice(0, -1).every(({ length }) => length === chunkSize)).toBe(true)
    expect(chunks).toHaveLength(Math.ceil(1_000 / chunkSize))
  })

  it('cuts a body that comes fast into the larger chunks, after the first', async () => {
    // Large, so that a busy machine does not make it a slow one.
    const [least, most, size] = [4_000_000, 8_000_000, 20_000_000]
    const chunked = { body: streamOf(Buffer.alloc(size), 64_000), sizes: { least, most }, size }
    const lengths: number[] = []
    for await (const { length } of chunksOf(chunked, new ChunkBuffers(size))) lengths.push(length)

    expect(lengths).toEqual([least, most, most])
  })

  it('reads one byte more than there should be, so that it is noticed, and no more', async () => {
    const chunks = await collected(streamOf(BYTES, 100), 200, 500)

    expect(Buffer.concat(chunks)).toHaveLength(501)
  })

  it('ends early with a body that is too short', async () => {
    expect(Buffer.concat(await collected(streamOf(BYTES, 100), 300, 2_000))).toHaveLength(1_000)
  })

  it('fails with the error of a body that breaks, after the chunks before it', async () => {
    const body = new PassThrough()
    const broken = new Error('the upstream broke')
    body.write(BYTES.subarray(0, 150))
    const chunks = chunksOf(
      { body, sizes: { least: 100, most: 100 }, size: 1_000 },
      new ChunkBuffers(10_000),
    )

    expect((await chunks.next()).value).toHaveLength(100)
    body.destroy(broken)

    await expect(chunks.next()).rejects.toBe(broken)
  })

  it('gives all memory back and destroys the body when its reader stops early', async () => {
    const buffers = new ChunkBuffers(200)
    const body = streamOf(BYTES, 100)
    for await (const chunk of chunksOf(
      { body, sizes: { least: 100, most: 100 }, size: 1_000 },
      buffers,
    )) {
      expect(chunk).toHaveLength(100)
      break
    }

    expect(body.destroyed).toBe(true)
    expect(await buffers.take(200, SIGNAL)).toHaveLength(200)
  })

  it('stops to wait for memory when its reader stops', async () => {
    const buffers = new ChunkBuffers(100)
    for await (const chunk of chunksOf(
      { body: streamOf(BYTES, 100), sizes: { least: 100, most: 100 }, size: 1_000 },
      buffers,
    )) {
      expect(chunk).toHaveLength(100)
      break
    }

    expect(await buffers.take(100, SIGNAL)).toHaveLength(100)
  })

  it('reads on with memory for one chunk', async () => {
    const chunks: Buffer[] = []
    const chunked = { body: streamOf(BYTES, 70), sizes: { least: 100, most: 100 }, size: 1_000 }
    for await (const chunk of chunksOf(chunked, new ChunkBuffers(100))) {
      chunks.push(Buffer.from(chunk))
    }

    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
  })
})
