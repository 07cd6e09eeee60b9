import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Spool } from '../../../src/spool/spool.ts'
import { added, blobOf, BYTES, HALF, spoolFolder, type SpoolFolder, WISH } from './spool-folder.ts'

describe('the spool', () => {
  let place: SpoolFolder

  beforeEach(async () => {
    place = await spoolFolder()
  })

  afterEach(() => place[Symbol.asyncDispose]())

  it('closes what nobody has read for a while, and keeps on disk what nobody has landed', async () => {
    await using spool = await place.open()
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
    expect(await place.openFiles()).toHaveLength(4)
    await spool.closeIdle(60_000, 60_000)
    expect([landed, failed].map(({ key }) => spool.find(key))).toEqual([undefined, undefined])
    expect(await place.openFiles()).toHaveLength(2)
    expect(await place.files()).toHaveLength(3)

    leave()
    await coming.blob.end(false)
    await spool.closeIdle(60_000, 70_000)
    await spool.closeIdle(60_000, 130_000)
    expect(await place.openFiles()).toEqual([])
  })

  it('leaves no more on the disk than it may have, however many fail one after the other', async () => {
    await using spool = await place.open(2_000)
    for (let failed = 0; failed < 4; failed += 1) {
      const bytes = randomBytes(1_000)
      const { blob } = await added(spool, { blob: blobOf(bytes), followed: true })
      blob.append(bytes.subarray(0, 900))
      await blob.end(false)
      await spool.closeIdle(60_000, failed * 100_000)
      await spool.closeIdle(60_000, failed * 100_000 + 60_000)
    }

    const sizes = (await place.files()).map(async (path) => (await stat(path)).size)
    expect((await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)).toBe(1_800)
  })

  it('has no more files open than it may: what is idle is closed first, and nothing is lost by that', async () => {
    await using spool = await Spool.open({
      parent: place.parent.path,
      maxBytes: 10_000_000,
      maxFiles: 3,
    })
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
    expect(await place.openFiles()).toHaveLength(3)
    await Promise.all([bring(1_006, false), bring(1_008, false)])
    expect(await place.openFiles()).toHaveLength(3)
    expect((await bring(1_010, false)).spooled).toBeUndefined()

    leave?.()
    expect((await spool.add(failed))?.blob.until).toBe(500)
  })

  it('keeps nothing of what is where it should be, but for late clients', async () => {
    await using spool = await place.open()
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
    expect(await place.files()).toHaveLength(1)
  })

  it('leaves what is not where it should be when it is closed, and nothing else', async () => {
    const spool = await place.open()
    const [done, broken] = [await added(spool), await added(spool, { origin: 'hq/team/broken' })]
    done.blob.append(BYTES)
    await done.blob.end(true)
    await spool.release(WISH.origin, WISH.blob.digest)
    broken.blob.append(BYTES.subarray(0, HALF))

    await spool[Symbol.asyncDispose]()

    const left = await place.files()
    expect(left).toHaveLength(1)
    expect((await stat(left[0] ?? '')).size).toBe(HALF)
  })

  it('has room for what clients wait for when it has none for the rest', async () => {
    await using spool = await place.open(2 * BYTES.length)
    await added(spool, { origin: 'one', followed: false })

    expect(await spool.add({ ...WISH, origin: 'two', followed: false })).toBeUndefined()
    expect(await spool.add({ ...WISH, origin: 'two', followed: true })).toBeDefined()
    expect(await spool.add({ ...WISH, origin: 'three', followed: true })).toBeUndefined()
  })

  it('gives the same room to one only, when two want it at once', async () => {
    await using spool = await place.open(BYTES.length)

    const both = await Promise.all([spool.add(WISH), spool.add({ ...WISH, origin: 'two' })])

    expect(both.map((spooled) => spooled !== undefined)).toEqual([true, false])
  })

  it('makes room by dropping what has arrived and nobody reads', async () => {
    await using spool = await place.open(BYTES.length)
    const first = await added(spool)
    first.blob.append(BYTES)
    await first.blob.end(true)

    await added(spool, { origin: 'next' })

    expect(spool.find(first.key)).toBeUndefined()
    expect(await place.files()).toHaveLength(1)
  })

  it('is in a folder that nobody else can look into', async () => {
    await using spool = await place.open()
    await added(spool)

    const [folder = ''] = await readdir(place.parent.path)
    expect((await stat(join(place.parent.path, folder))).mode & 0o777).toBe(0o700)
    expect((await stat((await place.files())[0] ?? '')).mode & 0o777).toBe(0o600)
  })

  it('is in another folder when somebody could look into the usual one', async () => {
    const usual = join(place.parent.path, `pullsync-spool-${process.getuid?.()}`)
    await mkdir(usual)
    await chmod(usual, 0o755)

    await using spool = await place.open()
    await added(spool)

    expect(await readdir(usual)).toEqual([])
    expect(await readdir(place.parent.path)).toHaveLength(2)
  })
})
