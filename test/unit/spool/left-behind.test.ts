import { randomBytes } from 'node:crypto'
import { utimes } from 'node:fs/promises'
import { uptime } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  added,
  blobOf,
  BYTES,
  HALF,
  readAll,
  sha256,
  spoolFolder,
  type SpoolFolder,
  WISH,
} from './spool-folder.ts'

describe('the spool', () => {
  let place: SpoolFolder

  beforeEach(async () => {
    place = await spoolFolder()
  })

  afterEach(() => place[Symbol.asyncDispose]())

  it('continues what a process that died had fetched', async () => {
    await place.leftBehind(BYTES.subarray(0, HALF))

    await using spool = await place.open()
    const { blob } = await added(spool)
    expect(blob.until).toBe(HALF)
    blob.append(BYTES.subarray(HALF))
    await blob.end(true)

    expect(await readAll(blob)).toEqual(sha256(BYTES))
    expect(await place.files()).toHaveLength(1)
  })

  it('continues what an attempt of its own had fetched', async () => {
    await using spool = await place.open()
    const first = await added(spool)
    first.blob.append(BYTES.subarray(0, HALF))
    await first.blob.end(false)

    expect((await added(spool)).blob.until).toBe(HALF)
    expect(spool.find(first.key)).toBeUndefined()
  })

  it.each([
    ['another upstream', { origin: 'other/team/app' }],
    ['another blob', { blob: blobOf(randomBytes(2_000_000)) }],
  ])('does not use it for %s', async (_, what) => {
    await place.leftBehind(BYTES.subarray(0, HALF))

    await using spool = await place.open()

    expect((await added(spool, what)).blob.until).toBe(0)
  })

  it('has nothing to fetch when all was there, and right', async () => {
    await place.leftBehind(BYTES)

    await using spool = await place.open()
    const { blob } = await added(spool)

    expect(blob.arrived).toBe(true)
    expect(await readAll(blob)).toEqual(sha256(BYTES))
  })

  it.each([
    ['wrong', Buffer.alloc(BYTES.length, 7)],
    ['too much', Buffer.concat([BYTES, BYTES])],
  ])('begins again when all was there, and %s', async (_, bytes) => {
    await place.leftBehind(bytes)

    await using spool = await place.open()

    expect((await added(spool)).blob.until).toBe(0)
    expect(await place.files()).toHaveLength(1)
  })

  it('stops verifying when it is told to, and leaves it to the next one', async () => {
    await place.leftBehind(BYTES)
    await using spool = await place.open()
    const before = await place.openFiles()

    const stopped = AbortSignal.abort(new Error('the worker is stopping'))
    expect(await spool.add({ ...WISH, signal: stopped })).toBeUndefined()

    expect(await place.openFiles()).toHaveLength(before.length)
    expect((await added(spool)).blob.arrived).toBe(true)
  })

  it('uses what began later for what is wanted from there on, not for what is wanted before', async () => {
    await place.leftBehind(BYTES.subarray(1_000_000, 2_000_000), { offset: 1_000_000 })
    await using spool = await place.open()
    const later = await added(spool, { offset: 1_200_000 })
    expect(later.blob.until).toBe(2_000_000)
    await later.blob.end(false)

    expect((await added(spool, { offset: 999_999 })).blob.until).toBe(999_999)
  })

  it.each([
    ['an hour old', () => new Date(Date.now() - 3_660_000)],
    ['older than the machine is up', () => new Date(Date.now() - (uptime() + 60) * 1_000)],
  ])('does not use what is %s, and removes it', async (_, writtenAt) => {
    await place.leftBehind(BYTES.subarray(0, HALF))
    const [left = ''] = await place.files()
    await using spool = await place.open()
    await utimes(left, writtenAt(), writtenAt())

    expect((await added(spool)).blob.until).toBe(0)
    await utimes((await place.files())[0] ?? '', writtenAt(), writtenAt())
    await spool.sweep()

    expect(await place.files()).toEqual([])
  })

  it('removes the oldest of what was left when that is too much', async () => {
    const left: string[] = []
    for (const [at, origin] of ['oldest', 'newest', 'older'].entries()) {
      await place.leftBehind(BYTES.subarray(0, HALF), { origin })
      const [path = ''] = (await place.files()).filter((file) => !left.includes(file))
      const secondsAgo = [30, 10, 20][at] ?? 0
      await utimes(path, new Date(), new Date(Date.now() - secondsAgo * 1_000))
      left.push(path)
    }

    await (await place.open(2 * HALF))[Symbol.asyncDispose]()

    expect([...(await place.files())].sort()).toEqual(left.slice(1).sort())
  })
})
