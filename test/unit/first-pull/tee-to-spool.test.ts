import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { SpoolFile } from '../../../src/spool/spool-file.ts'
import { SpooledBlob } from '../../../src/spool/spooled-blob.ts'
import { TeeToSpool } from '../../../src/first-pull/tee-to-spool.ts'
import { eventually } from '../../support/eventually.ts'
import { inPieces } from '../../support/network/in-pieces.ts'
import { run } from '../../support/process/run.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const MIB = 1024 * 1024
const BYTES = randomBytes(18 * MIB)

describe('a body that is kept as it passes', () => {
  let folder: TempFolder
  let spooled: SpooledBlob
  let givenUp: number

  beforeEach(async () => {
    folder = await tempFolder('kept')
    givenUp = 0
    spooled = await spooledIn(folder.path)
  })

  afterEach(async () => {
    await spooled.letGo((file) => file.close())
    await folder[Symbol.asyncDispose]()
  })

  async function spooledIn(path: string): Promise<SpooledBlob> {
    return new SpooledBlob(await SpoolFile.create(join(path, 'blob'), 0))
  }

  function kept(body: Readable, arrivals = { bytes: 0 }): TeeToSpool {
    const giveUp = () => (givenUp += 1)
    return new TeeToSpool(body, { spooled, arrivals, giveUp })
  }

  it('is all there, and on disk', async () => {
    expect((await buffer(kept(Readable.from(slowly(BYTES))))).equals(BYTES)).toBe(true)

    await eventually(() => spooled.arrived, { describe: 'the last bytes to be on disk' })
    const follower = spooled.read(0)
    expect(follower && (await buffer(follower)).equals(BYTES)).toBe(true)
    expect(givenUp).toBe(0)
  })

  it('is kept as far as it came when it breaks, and fails as it does', async () => {
    const broken = new Error('upstream hung up')
    const body = new PassThrough()
    body.write(BYTES.subarray(0, MIB))
    const read = buffer(kept(body))
    await eventually(() => spooled.bytes === MIB, { describe: 'what came' })

    body.destroy(broken)

    await expect(read).rejects.toBe(broken)
    await eventually(() => !spooled.arriving, { describe: 'the spool to know' })
    expect(spooled.arrived).toBe(false)
  })

  it('is not kept when it comes faster than a network would bring it', async () => {
    // In no time at all, however busy the machine is.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    onTestFinished(() => {
      clock.mockRestore()
    })

    expect((await buffer(kept(Readable.from(inPieces(BYTES))))).equals(BYTES)).toBe(true)

    expect(givenUp).toBe(1)
  })

  it('is kept when what had waited in the socket comes at once', async () => {
    const socket = BYTES.subarray(0, 6 * MIB)
    const line = BYTES.subarray(6 * MIB)
    async function* burst(): AsyncGenerator<Buffer> {
      yield* inPieces(socket)
      yield* slowly(line)
    }

    expect((await buffer(kept(Readable.from(burst())))).equals(BYTES)).toBe(true)

    expect(givenUp).toBe(0)
  })

  it('is not kept when this process is what makes it slow', async () => {
    expect((await buffer(kept(Readable.from(heavily(BYTES))))).equals(BYTES)).toBe(true)

    expect(givenUp).toBe(1)
  })

  it('is kept for those who follow it, however fast it comes', async () => {
    const follower = spooled.follow(0, new AbortController().signal)
    const followed = follower && buffer(Readable.from(follower))
    await eventually(() => spooled.followed, { describe: 'the follower to begin' })

    expect((await buffer(kept(Readable.from(inPieces(BYTES))))).equals(BYTES)).toBe(true)

    expect(givenUp).toBe(0)
    expect((await followed)?.equals(BYTES)).toBe(true)
  })

  it('is not kept when all that comes is faster, be it slow itself', async () => {
    const arrivals = { bytes: 0 }
    const passed = kept(Readable.from(slowly(BYTES)), arrivals)
    passed.on('data', () => (arrivals.bytes += 64 * MIB))
    await eventually(() => passed.readableEnded, { describe: 'all of it' })

    expect(givenUp).toBe(1)
  })

  it('does without a disk that is full', async (context) => {
    const small = join(folder.path, 'small')
    await mkdir(small)
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small])
    if (mounted.code !== 0) context.skip('this user must not mount')
    try {
      await spooled.letGo((file) => file.close())
      spooled = await spooledIn(small)

      expect((await buffer(kept(Readable.from(slowly(BYTES))))).equals(BYTES)).toBe(true)

      expect(spooled.arrived).toBe(false)
      await spooled.letGo((file) => file.close())
    } finally {
      await run('umount', [small])
    }
  })
})

/** 33 MiB/s at most. */
async function* slowly(bytes: Buffer): AsyncGenerator<Buffer> {
  for (const piece of inPieces(bytes, 512 * 1024)) {
    await delay(15)
    yield piece
  }
}

/** 80 MiB/s at most, and the process is busy all the time. */
async function* heavily(bytes: Buffer): AsyncGenerator<Buffer> {
  for (const piece of inPieces(bytes, 512 * 1024)) {
    for (const begunAt = performance.now(); performance.now() - begunAt < 6;);
    await nextTurn()
    yield piece
  }
}
