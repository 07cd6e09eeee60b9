import { createHash } from 'node:crypto'
import { readdir, readlink, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { follow } from '../../../src/spool/follow.ts'
import { Spool, type Spooled } from '../../../src/spool/spool.ts'
import { throughSpool } from '../../../src/spool/through-spool.ts'
import { eventually } from '../../support/eventually.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const MIB = 1024 * 1024
const ROOM = 16 * MIB
const SIZE = 100 * MIB
const PIECE = 64 * 1024

/** No two pieces are alike. */
function pieceAt(at: number): Buffer {
  const piece = Buffer.alloc(PIECE)
  piece.writeUInt32LE(at / PIECE)
  return piece
}

function* pieces(): Generator<Buffer> {
  for (let at = 0; at < SIZE; at += PIECE) yield pieceAt(at)
}

describe('a blob that is larger than the spool', () => {
  let folder: TempFolder
  let spool: Spool
  let spooled: Spooled

  beforeEach(async () => {
    folder = await tempFolder('window')
    spool = await Spool.open({ parent: folder.path, maxBytes: ROOM })
    const digest = digestOf(Buffer.from('its bytes are not looked at'))
    const wish = {
      blob: { mediaType: 'application/octet-stream', digest, size: SIZE },
      ...{ origin: 'hq/team/model', offset: 0, followed: true },
      signal: new AbortController().signal,
    }
    const added = await spool.add(wish)
    if (added === undefined) throw new Error('there was no room')
    spooled = added
  })

  afterEach(async () => {
    await spool[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** As the worker's upload reads it; the most that the spool had on disk is told to `onDisk`. */
  function copy(onDisk: (bytes: number) => void = () => undefined): Promise<string> {
    const passed = throughSpool({
      ...{ spooled: spooled.blob, size: SIZE, offset: 0 },
      body: Readable.from(pieces()),
      headStart: () => Promise.resolve(),
    })
    return digestOfAll(passed, async () => {
      onDisk(await spoolBytes(folder.path))
    })
  }

  function followed(offset = 0) {
    return follow(spooled, offset, new AbortController().signal)
  }

  it('goes through a window of it, and those that follow some MiB apart have all of it', async () => {
    let most = 0
    const first = followed()
    const second = followed()
    if (first === undefined || second === undefined) throw new Error('nobody may follow')
    let read = 0
    const near = digestOfAll(first.pieces, (piece) => {
      read += piece.length
    })

    const copied = copy((bytes) => {
      most = Math.max(most, bytes)
    })
    await eventually(() => read >= 5 * MIB)
    const far = digestOfAll(second.pieces)

    const whole = await digestOfAll(pieces())
    expect(await Promise.all([copied, near, far])).toEqual([whole, whole, whole])
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(ROOM)
  })

  it('waits for no follower that stands still, and leaves that one behind', async () => {
    const standing = followed()?.pieces[Symbol.asyncIterator]()

    const [first, copied] = await Promise.all([standing?.next(), copy()])

    expect(first?.done).toBe(false)
    expect(copied).toBe(await digestOfAll(pieces()))
    await expect(standing?.next()).rejects.toThrow('fell behind')
  })

  it('has nothing for who comes too late, and the rest for who asks for that', async () => {
    const copied = copy()
    await copied

    expect(followed()).toBeUndefined()
    const rest = followed(SIZE - MIB)
    const last = await digestOfAll(rest?.pieces ?? [])
    expect(last).toBe(await digestOfAll([...pieces()].slice(-MIB / PIECE)))
  })

  it('has room for no other one meanwhile, and for it afterwards', async () => {
    const unfollowed = {
      ...{ origin: 'hq/team/other', offset: 0, followed: false },
      blob: { mediaType: '', digest: digestOf(Buffer.from('other')), size: 6 * MIB },
      signal: new AbortController().signal,
    }

    expect(await spool.add(unfollowed)).toBeUndefined()
    await copy()
    expect(await spool.add(unfollowed)).toBeDefined()
  })
})

async function digestOfAll(
  all: Iterable<Buffer> | AsyncIterable<Buffer>,
  seen: (piece: Buffer) => unknown = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of all) {
    hash.update(piece)
    await seen(piece)
  }
  return hash.digest('hex')
}

/** What this process has open there takes on disk, also where it has no name any more. */
async function spoolBytes(folder: string): Promise<number> {
  const open = await readdir('/proc/self/fd')
  const sizes = open.map(async (name) => {
    const path = `/proc/self/fd/${name}`
    const target = await readlink(path).catch(() => '')
    return target.startsWith(folder) ? (await stat(path)).size : 0
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
