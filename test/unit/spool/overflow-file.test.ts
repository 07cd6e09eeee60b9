import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { OverflowFile } from '../../../src/spool/overflow-file.ts'
import type { BlobFile } from '../../../src/spool/spool-file.ts'
import { SpooledBlob } from '../../../src/spool/spooled-blob.ts'
import { throughSpool } from '../../../src/spool/through-spool.ts'
import { inPieces } from '../../support/network/in-pieces.ts'

const MIB = 1024 * 1024
const BYTES = randomBytes(20 * MIB)
const NEVER = new AbortController().signal

/** On a disk that has room for so much. */
class SmallFile implements BlobFile {
  readonly from = 0
  readonly capacity = Infinity
  readonly keptUntil = Infinity
  #bytes = Buffer.alloc(0)

  get length(): number {
    return this.#bytes.length
  }

  append(pieces: readonly Buffer[]): Promise<void> {
    if (this.length >= MIB) return Promise.reject(new Error('no space left on device'))
    this.#bytes = Buffer.concat([this.#bytes, ...pieces]).subarray(0, MIB)
    return Promise.resolve()
  }

  read(at: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#bytes.subarray(at, at + length))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function newBlob() {
  const refused: unknown[] = []
  const file = new OverflowFile(new SmallFile(), (error) => refused.push(error))
  return { refused, spooled: new SpooledBlob(file, { inMemory: MIB }) }
}

async function bytesOf(pieces: AsyncIterable<Buffer> | undefined): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces ?? []) all.push(piece)
  return Buffer.concat(all)
}

it('gives all of a blob to who follows it while it comes, although the disk is full', async () => {
  const { spooled, refused } = newBlob()
  const passed = throughSpool({
    ...{ spooled, size: BYTES.length, offset: 0 },
    body: Readable.from(inPieces(BYTES)),
    headStart: () => Promise.resolve(),
  })

  const [copy, follower] = await Promise.all([bytesOf(passed), bytesOf(spooled.follow(0, NEVER))])

  expect(copy.equals(BYTES)).toBe(true)
  expect(follower.equals(BYTES)).toBe(true)
  expect(refused).toHaveLength(1)
})

it('gives who comes late nothing that is in memory no more', async () => {
  const { spooled } = newBlob()
  for (const piece of inPieces(BYTES)) {
    spooled.append(piece)
    await spooled.drained()
  }
  await spooled.end(true)

  expect(spooled.follow(2 * MIB, NEVER)).toBeUndefined()
  const late = await bytesOf(spooled.follow(BYTES.length - MIB, NEVER))
  expect(late.equals(BYTES.subarray(-MIB))).toBe(true)
})

it('gives who comes late what is on the disk, while the rest comes', async () => {
  const { spooled } = newBlob()
  for (const piece of inPieces(BYTES.subarray(0, 10 * MIB))) {
    spooled.append(piece)
    await spooled.drained()
  }

  const got: Buffer[] = []
  const reading = (async () => {
    for await (const piece of spooled.follow(1_000, NEVER) ?? []) got.push(piece)
  })()

  await expect(reading).rejects.toThrow('in memory no more')
  expect(Buffer.concat(got).equals(BYTES.subarray(1_000, MIB))).toBe(true)
  expect(spooled.follow(MIB, NEVER)).toBeUndefined()
})
