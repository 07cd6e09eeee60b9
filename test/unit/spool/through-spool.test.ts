import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { throughSpool } from '../../../src/spool/through-spool.ts'
import { SpoolFile } from '../../../src/spool/spool-file.ts'
import { SpooledBlob } from '../../../src/spool/spooled-blob.ts'
import { eventually } from '../../support/eventually.ts'
import { inPieces } from '../../support/network/in-pieces.ts'
import { run } from '../../support/process/run.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const MIB = 1024 * 1024

describe('a body by way of the spool', () => {
  let folder: TempFolder
  const blobs: SpooledBlob[] = []

  beforeAll(async () => {
    folder = await tempFolder('spool')
  })

  afterAll(async () => {
    for (const blob of blobs) await blob.letGo((file) => file.close())
    await folder[Symbol.asyncDispose]()
  })

  async function newBlob(from = 0, where = folder.path): Promise<SpooledBlob> {
    const file = await SpoolFile.create(join(where, `blob-${blobs.length}`), from)
    const blob = new SpooledBlob(file, { inMemory: MIB })
    blobs.push(blob)
    return blob
  }

  it('is all there, and so it is for a follower', async () => {
    const bytes = randomBytes(3 * MIB)
    const spooled = await newBlob()

    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)

    const follower = spooled.read(0)
    expect((await bytesOf(passed)).equals(bytes)).toBe(true)
    expect(follower && (await bytesOf(follower)).equals(bytes)).toBe(true)
  })

  it('is fetched to its end although nobody reads it', async () => {
    const bytes = randomBytes(20 * MIB)
    const spooled = await newBlob()

    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)
    await eventually(() => !spooled.arriving, { describe: 'the blob to be on disk' })

    expect(spooled.bytes).toBe(bytes.length)
    passed.destroy()
  })

  it('is not read on while the disk takes nothing', async () => {
    const bytes = randomBytes(20 * MIB)
    const file = await SpoolFile.create(join(folder.path, 'slow'), 0)
    let takes = (): void => undefined
    const taking = new Promise<void>((resolve) => (takes = resolve))
    const take = file.append.bind(file)
    file.append = async (pieces) => {
      await taking
      await take(pieces)
    }
    const spooled = new SpooledBlob(file)
    blobs.push(spooled)

    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)
    await eventually(() => spooled.full, { describe: 'the spool to wait for its disk' })
    // More than it takes to read all of it.
    for (let turn = 0; turn < 1_000; turn += 1) await setImmediate()
    const read = spooled.bytes
    takes()

    expect(read).toBeLessThan(4 * MIB)
    expect((await bytesOf(passed)).equals(bytes)).toBe(true)
  })

  it('begins where the blob is continued', async () => {
    const bytes = randomBytes(MIB)
    const spooled = await newBlob(500)

    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)

    expect((await bytesOf(passed)).equals(bytes)).toBe(true)
    expect(spooled.read(499)).toBeUndefined()
    const later = spooled.read(500 + 1_000)
    expect(later && (await bytesOf(later)).equals(bytes.subarray(1_000))).toBe(true)
  })

  it('begins with what is there already, wherever it is wanted from', async () => {
    const bytes = randomBytes(3 * MIB)
    const spooled = await newBlob()
    spooled.append(bytes.subarray(0, 2 * MIB))
    const body = Readable.from(inPieces(bytes.subarray(2 * MIB)))

    const offset = MIB + 5
    const passed = throughSpool({
      spooled,
      body,
      size: MIB,
      offset,
      headStart: () => Promise.resolve(),
    })

    expect((await bytesOf(passed)).equals(bytes.subarray(offset))).toBe(true)
    expect(spooled.arrived).toBe(true)
  })

  it('fails as it does', async () => {
    const spooled = await newBlob()
    const failure = new Error('upstream hung up')
    const body = new PassThrough()
    body.write(randomBytes(1_000))

    const passed = passing(spooled, body, 2_000)
    passed.read(0)
    await eventually(() => spooled.bytes === 1_000, { describe: 'the beginning to be here' })
    body.destroy(failure)

    await expect(bytesOf(passed)).rejects.toBe(failure)
    expect(spooled.arriving).toBe(false)
  })

  it('is not fetched for ever when it does not end', async () => {
    const spooled = await newBlob()
    const body = Readable.from(endless())

    const passed = passing(spooled, body, MIB)

    const bytes = await bytesOf(passed)
    expect(bytes.length).toBeGreaterThan(MIB)
    expect(bytes.length).toBeLessThan(2 * MIB)
    await eventually(() => body.destroyed, { describe: 'the body to be given up' })
  })

  it('is fetched while whoever is to read it has not begun, and may be dropped by nobody', async () => {
    const bytes = randomBytes(MIB)
    const spooled = await newBlob()
    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)
    await eventually(() => spooled.arrived, { describe: 'the blob to be on disk' })
    expect(spooled.followed).toBe(true)
    await spooled.letGo((file) => file.close())

    expect((await bytesOf(passed)).equals(bytes)).toBe(true)
    await eventually(() => !spooled.followed, { describe: 'its reader to be gone' })
  })

  it('is not whole for followers when it ends too early', async () => {
    const bytes = randomBytes(MIB)
    const spooled = await newBlob()

    const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length + 1)

    expect((await bytesOf(passed)).equals(bytes)).toBe(true)
    expect(spooled.arrived).toBe(false)
    const follower = spooled.read(0)
    await expect(follower && bytesOf(follower)).rejects.toThrow('stopped coming')
  })

  it('leaves nothing out when the disk does not give back what it took', async () => {
    const spooled = await newBlob()
    spooled.append(randomBytes(MIB))
    await spooled.drained()
    await spooled.letGo((file) => file.close())

    const passed = passing(spooled, Readable.from(inPieces(randomBytes(MIB))), MIB)

    await expect(bytesOf(passed)).rejects.toThrow()
  })

  it('lets go of a body at once, whatever it waits for', async () => {
    const spooled = await newBlob()
    const body = new PassThrough()
    const passed = passing(spooled, body, MIB)
    const read = bytesOf(passed)
    read.catch(() => undefined)

    passed.destroy(new Error('the registry failed'))

    expect(body.destroyed).toBe(true)
    await expect(read).rejects.toThrow('the registry failed')
    await eventually(() => !spooled.followed, { describe: 'its reader to be gone' })
  })

  it('is given up with who reads it, also while nothing comes', async () => {
    const spooled = await newBlob()
    const body = new PassThrough()
    const passed = passing(spooled, body, MIB)
    passed.resume()

    passed.destroy()

    await eventually(() => body.destroyed && !spooled.arriving, {
      describe: 'body and spool to end',
    })
  })

  it('does without a disk that is full', async (context) => {
    const small = join(folder.path, 'small')
    await mkdir(small)
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small])
    if (mounted.code !== 0) context.skip('this user must not mount')
    try {
      const bytes = randomBytes(9 * MIB + 5)
      const spooled = await newBlob(0, small)

      const passed = passing(spooled, Readable.from(inPieces(bytes)), bytes.length)

      expect((await bytesOf(passed)).equals(bytes)).toBe(true)
      expect(spooled.arrived).toBe(false)
      const follower = spooled.read(0)
      await expect(follower && bytesOf(follower)).rejects.toThrow('stopped coming')
      await spooled.letGo((file) => file.close())
    } finally {
      await run('umount', [small])
    }
  })
})

function passing(spooled: SpooledBlob, body: Readable, size: number): Readable {
  return throughSpool({ spooled, body, size, offset: spooled.from, headStart: waitFor })
}

/** Until all of it is here. */
async function waitFor(here: Promise<unknown>): Promise<void> {
  await here.catch(() => undefined)
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024)
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces)
}
