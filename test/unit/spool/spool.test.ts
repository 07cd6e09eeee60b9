import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readlink, stat, utimes } from 'node:fs/promises'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { Spool, type Spooled, type SpoolWish } from '../../../src/spool/spool.ts'
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts'

const BYTES = randomBytes(3_000_000)
const HALF = 1_500_000

describe('the spool', () => {
  let parent: TempFolder

  beforeEach(async () => {
    parent = await tempFolder('spool')
  })

  afterEach(async () => {
    await parent[Symbol.asyncDispose]()
  })

  function open(maxBytes = 100_000_000): Promise<Spool> {
    return Spool.open({ parent: parent.path, maxBytes })
  }

  async function files(): Promise<readonly string[]> {
    const [folder = ''] = await readdir(parent.path)
    return (await readdir(join(parent.path, folder))).map((name) => join(parent.path, folder, name))
  }

  /** Of this process, in that folder. */
  async function openFiles(): Promise<readonly string[]> {
    const all = await readdir('/proc/self/fd')
    const paths = all.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    return (await Promise.all(paths)).filter((path) => path.startsWith(parent.path))
  }

  /** As if the process had died after so many bytes: nothing is closed in order. */
  async function leftBehind(bytes: Buffer, what: Partial<SpoolWish> = {}): Promise<void> {
    const { blob } = await added(await open(), what)
    blob.append(bytes)
    await blob.end(false)
  }

  it('continues what a process that died had fetched', async () => {
    await leftBehind(BYTES.subarray(0, HALF))

    await using spool = await open()
    const { blob } = await added(spool)
    expect(blob.until).toBe(HALF)
    blob.append(BYTES.subarray(HALF))
    await blob.end(true)

    expect(await readAll(blob)).toEqual(sha256(BYTES))
    expect(await files()).toHaveLength(1)
  })

  it('continues what an attempt of its own had fetched', async () => {
    await using spool = await open()
    const first = await added(spool)
    first.blob.append(BYTES.subarray(0, HALF))
    await first.blob.end(false)

    expect((await added(spool)).blob.until).toBe(HALF)
    expect(spool.find(first.key)).toBeUndefined()
  })

  it('closes what nobody has read for a while, and keeps on disk what nobody has landed', async () => {
    await using spool = await open()
    const brought = async (bytes: Buffer) => {
      const wish = { blob: blobOf(bytes), followed: true }
      const { blob, key } = await added(spool, wish)
      blob.append(bytes)
      await blob.end(true)
      return { blob, key, digest: wish.blob.digest }
    }
    const landed = await brought(randomBytes(1_000))
    const failed = await brought(randomBytes(1_001))
    const followed = await brought(randomBytes(1_002))
    const coming = await added(spool, { followed: true })
    await spool.release('hq/team/app', landed.digest)
    const leave = followed.blob.retain()

    await spool.closeIdle(60_000, 0)
    await spool.closeIdle(60_000, 59_999)
    expect(await openFiles()).toHaveLength(4)
    await spool.closeIdle(60_000, 60_000)
    expect([landed, failed].map(({ key }) => spool.find(key))).toEqual([undefined, undefined])
    expect(await openFiles()).toHaveLength(2)
    expect(await files()).toHaveLength(3)

    leave()
    await coming.blob.end(false)
    await spool.closeIdle(60_000, 70_000)
    await spool.closeIdle(60_000, 130_000)
    expect(await openFiles()).toEqual([])
  })

  it('has no more files open than it may: what is idle is closed first, and nothing is lost by that', async () => {
    await using spool = await Spool.open({ parent: parent.path, maxBytes: 10_000_000, maxFiles: 3 })
    const bring = async (size: number, isEnded: boolean) => {
      const bytes = randomBytes(size)
      const wish = { ...WISH, blob: blobOf(bytes), followed: true }
      const spooled = await spool.add(wish)
      spooled?.blob.append(bytes.subarray(0, size / 2))
      if (isEnded) await spooled?.blob.end(false)
      return { ...wish, spooled }
    }
    const failed = await bring(1_000, true)
    const followed = await bring(1_002, true)
    const leave = followed.spooled?.blob.retain()

    await bring(1_004, false)
    expect(await openFiles()).toHaveLength(3)
    await Promise.all([bring(1_006, false), bring(1_008, false)])
    expect(await openFiles()).toHaveLength(3)
    expect((await bring(1_010, false)).spooled).toBeUndefined()

    leave?.()
    expect((await spool.add(failed))?.blob.until).toBe(500)
  })

  it.each([
    ['another upstream', { origin: 'other/team/app' }],
    ['another blob', { blob: blobOf(randomBytes(2_000_000)) }],
  ])('does not use it for %s', async (_, what) => {
    await leftBehind(BYTES.subarray(0, HALF))

    await using spool = await open()

    expect((await added(spool, what)).blob.until).toBe(0)
  })

  it('has nothing to fetch when all was there, and right', async () => {
    await leftBehind(BYTES)

    await using spool = await open()
    const { blob } = await added(spool)

    expect(blob.arrived).toBe(true)
    expect(await readAll(blob)).toEqual(sha256(BYTES))
  })

  it.each([
    ['wrong', Buffer.alloc(BYTES.length, 7)],
    ['too much', Buffer.concat([BYTES, BYTES])],
  ])('begins again when all was there, and %s', async (_, bytes) => {
    await leftBehind(bytes)

    await using spool = await open()

    expect((await added(spool)).blob.until).toBe(0)
    expect(await files()).toHaveLength(1)
  })

  it('stops verifying when it is told to, and leaves it to the next one', async () => {
    await leftBehind(BYTES)
    await using spool = await open()
    const before = await openFiles()

    const stopped = AbortSignal.abort(new Error('the worker is stopping'))
    expect(await spool.add({ ...WISH, signal: stopped })).toBeUndefined()

    expect(await openFiles()).toHaveLength(before.length)
    expect((await added(spool)).blob.arrived).toBe(true)
  })

  it('uses what began later for what is wanted from there on, not for what is wanted before', async () => {
    await leftBehind(BYTES.subarray(1_000_000, 2_000_000), { offset: 1_000_000 })
    await using spool = await open()
    const later = await added(spool, { offset: 1_200_000 })
    expect(later.blob.until).toBe(2_000_000)
    await later.blob.end(false)

    expect((await added(spool, { offset: 999_999 })).blob.until).toBe(999_999)
  })

  it.each([
    ['an hour old', () => new Date(Date.now() - 3_660_000)],
    ['older than the machine is up', () => new Date(Date.now() - (uptime() + 60) * 1_000)],
  ])('does not use what is %s, and removes it', async (_, writtenAt) => {
    await leftBehind(BYTES.subarray(0, HALF))
    const [left = ''] = await files()
    await using spool = await open()
    await utimes(left, writtenAt(), writtenAt())

    expect((await added(spool)).blob.until).toBe(0)
    await utimes((await files())[0] ?? '', writtenAt(), writtenAt())
    await spool.sweep()

    expect(await files()).toEqual([])
  })

  it('removes the oldest of what was left when that is too much', async () => {
    const left: string[] = []
    for (const [at, origin] of ['oldest', 'newest', 'older'].entries()) {
      await leftBehind(BYTES.subarray(0, HALF), { origin })
      const [path = ''] = (await files()).filter((file) => !left.includes(file))
      const secondsAgo = [30, 10, 20][at] ?? 0
      await utimes(path, new Date(), new Date(Date.now() - secondsAgo * 1_000))
      left.push(path)
    }

    await (await open(2 * HALF))[Symbol.asyncDispose]()

    expect([...(await files())].sort()).toEqual(left.slice(1).sort())
  })

  it('keeps nothing of what is where it should be, but for late clients', async () => {
    await using spool = await open()
    const [alone, followed] = [
      await added(spool, { followed: false }),
      await added(spool, { origin: 'hq/team/followed' }),
    ]
    for (const { blob } of [alone, followed]) {
      blob.append(BYTES)
      await blob.end(true)
    }

    await spool.release(WISH.origin, WISH.blob.digest)
    await spool.release('hq/team/followed', WISH.blob.digest)

    expect(spool.find(alone.key)).toBeUndefined()
    expect(spool.find(followed.key)?.blob).toBe(followed.blob)
    expect(await files()).toHaveLength(1)
  })

  it('leaves what is not where it should be when it is closed, and nothing else', async () => {
    const spool = await open()
    const [done, broken] = [await added(spool), await added(spool, { origin: 'hq/team/broken' })]
    done.blob.append(BYTES)
    await done.blob.end(true)
    await spool.release(WISH.origin, WISH.blob.digest)
    broken.blob.append(BYTES.subarray(0, HALF))

    await spool[Symbol.asyncDispose]()

    const left = await files()
    expect(left).toHaveLength(1)
    expect((await stat(left[0] ?? '')).size).toBe(HALF)
  })

  it('has room for what clients wait for when it has none for the rest', async () => {
    await using spool = await open(2 * BYTES.length)
    await added(spool, { origin: 'one', followed: false })

    expect(await spool.add({ ...WISH, origin: 'two', followed: false })).toBeUndefined()
    expect(await spool.add({ ...WISH, origin: 'two', followed: true })).toBeDefined()
    expect(await spool.add({ ...WISH, origin: 'three', followed: true })).toBeUndefined()
  })

  it('gives the same room to one only, when two want it at once', async () => {
    await using spool = await open(BYTES.length)

    const both = await Promise.all([spool.add(WISH), spool.add({ ...WISH, origin: 'two' })])

    expect(both.map((spooled) => spooled !== undefined)).toEqual([true, false])
  })

  it('makes room by dropping what has arrived and nobody reads', async () => {
    await using spool = await open(BYTES.length)
    const first = await added(spool)
    first.blob.append(BYTES)
    await first.blob.end(true)

    await added(spool, { origin: 'next' })

    expect(spool.find(first.key)).toBeUndefined()
    expect(await files()).toHaveLength(1)
  })

  it('is in a folder that nobody else can look into', async () => {
    await using spool = await open()
    await added(spool)

    const [folder = ''] = await readdir(parent.path)
    expect((await stat(join(parent.path, folder))).mode & 0o777).toBe(0o700)
    expect((await stat((await files())[0] ?? '')).mode & 0o777).toBe(0o600)
  })

  it('is in another folder when somebody could look into the usual one', async () => {
    const usual = join(parent.path, `pullsync-spool-${process.getuid?.()}`)
    await mkdir(usual)
    await chmod(usual, 0o755)

    await using spool = await open()
    await added(spool)

    expect(await readdir(usual)).toEqual([])
    expect(await readdir(parent.path)).toHaveLength(2)
  })
})

const WISH: SpoolWish = {
  blob: blobOf(BYTES),
  origin: 'hq/team/app',
  offset: 0,
  followed: true,
  signal: new AbortController().signal,
}

function blobOf(bytes: Buffer): Descriptor {
  return { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length }
}

async function added(spool: Spool, what: Partial<SpoolWish> = {}): Promise<Spooled> {
  const spooled = await spool.add({ ...WISH, ...what })
  if (spooled === undefined) throw new Error('there was no room')
  return spooled
}

async function readAll(blob: Spooled['blob']): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of blob.piecesFor(blob.reader(blob.from))) hash.update(piece)
  return hash.digest('hex')
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
