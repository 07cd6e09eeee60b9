import { randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ChunkBuffers } from '../../../src/registry/chunk-buffers.ts'
import { type ChunkedBody, chunksOf } from '../../../src/registry/chunks.ts'
import { eventually } from '../../support/eventually.ts'

const SIGNAL = new AbortController().signal
const BYTES = randomBytes(1_000)

function streamOf(bytes: Buffer, pieceSize: number): Readable {
  const count = Math.ceil(bytes.length / pieceSize)
  const pieces = Array.from({ length: count }, (_, at) =>
    bytes.subarray(at * pieceSize, (at + 1) * pieceSize),
  )
  return Readable.from(pieces, { objectMode: false })
}

interface Sizes {
  readonly least: number
  readonly size?: number
  readonly long?: number
}

function chunked(body: Readable, { least, size = BYTES.length, long = 0 }: Sizes) {
  const seen: Buffer[] = []
  return {
    ...{ body, size, least, seen },
    lengthAt: () => long,
    passing: (piece: Buffer) => seen.push(Buffer.from(piece)),
  }
}

/** Each chunk's bytes, and whether they came from memory. */
async function collected(of: ChunkedBody, buffers = new ChunkBuffers(10_000)) {
  const chunks: { readonly bytes: Buffer; readonly inMemory: boolean }[] = []
  for await (const { length, body } of chunksOf(of, buffers)) {
    const inMemory = Buffer.isBuffer(body)
    const bytes = inMemory ? Buffer.from(body) : Buffer.concat(await body.toArray())
    expect(bytes).toHaveLength(length)
    chunks.push({ bytes, inMemory })
  }
  return chunks
}

function joined(chunks: readonly { readonly bytes: Buffer }[]): Buffer {
  return Buffer.concat(chunks.map(({ bytes }) => bytes))
}

describe('chunksOf', () => {
  it.each([
    [100, 100],
    [100, 250],
    [333, 250],
    [700, 100],
    [1, 400],
    [1_000, 5_000],
  ])('cuts pieces of %i bytes into chunks of %i', async (pieceSize, least) => {
    const chunks = await collected(chunked(streamOf(BYTES, pieceSize), { least }))

    expect(joined(chunks).equals(BYTES)).toBe(true)
    expect(chunks.slice(0, -1).every(({ bytes }) => bytes.length === least)).toBe(true)
    expect(chunks).toHaveLength(Math.ceil(1_000 / least))
  })

  it.each([1, 70, 100, 250, 5_000])(
    'passes a long chunk of pieces of %i bytes on as it comes, and the rest after it',
    async (pieceSize) => {
      const of = chunked(streamOf(BYTES, pieceSize), { least: 100, long: 450 })

      const chunks = await collected(of)

      expect(joined(chunks).equals(BYTES)).toBe(true)
      expect(Buffer.concat(of.seen).equals(BYTES)).toBe(true)
      expect(chunks.map(({ bytes }) => bytes.length)).toEqual([450, 450, 100])
      expect(chunks.map(({ inMemory }) => inMemory)).toEqual([false, false, true])
    },
  )

  it('asks how long a chunk is to be with the rate at which its beginning came', async () => {
    const rates: number[] = []
    const of = {
      ...chunked(streamOf(BYTES, 100), { least: 300 }),
      lengthAt: (bytesPerMs: number) => rates.push(bytesPerMs),
    }

    await collected(of)

    expect(rates).toHaveLength(3)
    expect(rates.every((rate) => rate > 0)).toBe(true)
  })

  it.each([0, 400])(
    'reads one byte more than there should be, so that it is noticed, and no more (long: %i)',
    async (long) => {
      const chunks = await collected(chunked(streamOf(BYTES, 100), { least: 200, size: 500, long }))

      expect(joined(chunks)).toHaveLength(501)
    },
  )

  it('ends early with a body that is too short', async () => {
    const chunks = await collected(chunked(streamOf(BYTES, 100), { least: 300, size: 2_000 }))

    expect(joined(chunks)).toHaveLength(1_000)
  })

  it('fails a long chunk whose body ends too early, and says by how much', async () => {
    const of = chunked(streamOf(BYTES, 100), { least: 300, size: 2_000, long: 2_000 })

    await expect(collected(of)).rejects.toThrow('ended 1000 bytes too early')
  })

  it('fails a long chunk with the error of a body that breaks', async () => {
    const body = new PassThrough()
    body.write(BYTES.subarray(0, 150))
    const chunks = chunksOf(chunked(body, { least: 100, long: 500 }), new ChunkBuffers(10_000))
    const { value } = await chunks.next()
    const broken = new Error('the upstream broke')
    body.destroy(broken)

    const { body: long } = value ?? {}

    await expect(long instanceof Readable && long.toArray()).rejects.toBe(broken)
    await chunks.return(undefined)
  })

  it('gives all memory back and destroys both when a long chunk is given up', async () => {
    const buffers = new ChunkBuffers(100)
    const body = new PassThrough()
    body.write(BYTES.subarray(0, 150))
    const chunks = chunksOf(chunked(body, { least: 100, long: 500 }), buffers)
    const { value } = await chunks.next()

    await chunks.return(undefined)

    expect(body.destroyed).toBe(true)
    const long = value?.body
    await eventually(() => long instanceof Readable && long.destroyed, { describe: 'both' })
    expect(await buffers.take(100, SIGNAL)).toHaveLength(100)
  })

  it('fails with the error of a body that breaks, after the chunks before it', async () => {
    const body = new PassThrough()
    const broken = new Error('the upstream broke')
    body.write(BYTES.subarray(0, 150))
    const chunks = chunksOf(chunked(body, { least: 100 }), new ChunkBuffers(10_000))

    expect((await chunks.next()).value).toHaveProperty('length', 100)
    body.destroy(broken)

    await expect(chunks.next()).rejects.toBe(broken)
  })

  it('gives all memory back and destroys the body when its reader stops early', async () => {
    const buffers = new ChunkBuffers(200)
    const body = streamOf(BYTES, 100)
    for await (const { length } of chunksOf(chunked(body, { least: 100 }), buffers)) {
      expect(length).toBe(100)
      break
    }

    expect(body.destroyed).toBe(true)
    expect(await buffers.take(200, SIGNAL)).toHaveLength(200)
  })

  it('stops to wait for memory when its reader stops', async () => {
    const buffers = new ChunkBuffers(100)
    for await (const { length } of chunksOf(
      chunked(streamOf(BYTES, 100), { least: 100 }),
      buffers,
    )) {
      expect(length).toBe(100)
      break
    }

    expect(await buffers.take(100, SIGNAL)).toHaveLength(100)
  })

  it('passes a chunk through when others hold all memory', async () => {
    const buffers = new ChunkBuffers(100)
    const held = await buffers.take(100, SIGNAL)

    const chunks = await collected(chunked(streamOf(BYTES, 70), { least: 600 }), buffers)

    expect(joined(chunks).equals(BYTES)).toBe(true)
    expect(chunks.map(({ bytes, inMemory }) => [bytes.length, inMemory])).toEqual([
      [600, false],
      [400, false],
    ])
    buffers.giveBack(held)
    expect(await buffers.take(100, SIGNAL)).toHaveLength(100)
  })

  it.each([0, 250])('reads on with memory for one chunk (long: %i)', async (long) => {
    const of = chunked(streamOf(BYTES, 70), { least: 100, long })

    expect(joined(await collected(of, new ChunkBuffers(100))).equals(BYTES)).toBe(true)
  })
})
