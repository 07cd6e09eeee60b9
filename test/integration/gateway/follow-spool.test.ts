import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SpoolFollower } from '../../../src/gateway/blobs/follow-spool.ts'
import { eventually } from '../../support/eventually.ts'
import {
  BYTES,
  type FollowedBlob,
  startFollowedBlob,
  WAYS,
  WISH,
} from '../../support/images/followed-blob.ts'
import {
  type RegistryInBytes,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

const HALF = 1_500_000
const SIGNAL = new AbortController().signal

/** The same for gateways of other processes, and for the one in the worker's own. */
describe.each(WAYS)('a blob in a spool, followed %s', (how) => {
  let followed: FollowedBlob

  beforeEach(async () => {
    followed = await startFollowedBlob(how)
  })

  afterEach(async () => {
    await followed[Symbol.asyncDispose]()
  })

  const open = (offset: number, { key = followed.spooled.key } = {}) =>
    followed.follower.open(followed.address + key, offset, SIGNAL)

  async function bytesFrom(offset: number): Promise<Buffer> {
    return await bytesOf(await open(offset))
  }

  it.each([0, 1_000_000, BYTES.length])('is there from byte %i on', async (offset) => {
    followed.append(BYTES)
    await followed.spooled.blob.end(true)

    expect((await bytesFrom(offset)).equals(BYTES.subarray(offset))).toBe(true)
  })

  it('comes as it arrives', async () => {
    followed.append(BYTES.subarray(0, HALF))
    const pieces = (await open(0))?.[Symbol.asyncIterator]()
    let read = 0
    while (read < HALF) read += ((await pieces?.next())?.value as Buffer).length
    const next = pieces?.next()
    followed.append(BYTES.subarray(HALF))
    await followed.spooled.blob.end(true)

    expect((await next)?.done).toBe(false)
    await pieces?.return?.()
    await eventually(() => !followed.spooled.blob.followed, { describe: 'the follower to be gone' })
  })

  it.each(['breaks', 'ends too early'])('fails where it %s', async (way) => {
    followed.append(BYTES.subarray(0, HALF))
    const following = await open(0)
    await followed.spooled.blob.end(way !== 'breaks')

    const read = bytesOf(following)

    if (how === 'over HTTP' || way === 'breaks') await expect(read).rejects.toThrow()
    else expect((await read).length).toBe(HALF)
  })

  it('gives no more than it should have', async () => {
    followed.append(Buffer.concat([BYTES, BYTES]))
    await followed.spooled.blob.end(true)

    expect((await bytesFrom(HALF)).equals(BYTES.subarray(HALF))).toBe(true)
    expect((await bytesFrom(0)).equals(BYTES)).toBe(true)
  })

  it.each([
    ['under another key', { key: 'f'.repeat(48) }],
    ['that begins later', { offset: 10 }],
    ['that is shorter', { offset: BYTES.length + 1 }],
  ])('is nothing %s', async (what, { key = followed.spooled.key, offset = 0 }: Where) => {
    if (what === 'that begins later') {
      const later = await followed.spool.add({ ...WISH, origin: 'later', offset: 20 })
      expect(await open(offset, { key: later?.key ?? '' })).toBeUndefined()
      expect(await open(20, { key: later?.key ?? '' })).toBeDefined()
      return
    }
    expect(await open(offset, { key })).toBeUndefined()
  })
})

interface Where {
  readonly key?: string
  readonly offset?: number
}

describe('a follower over HTTP', () => {
  let worker: RegistryInBytes
  const blob = randomBytes(10_000)

  beforeEach(async () => {
    worker = await startRegistryInBytes(blob)
  })

  afterEach(() => {
    worker[Symbol.dispose]()
  })

  it('asks for the next blob on the same connection', async () => {
    using follower = new SpoolFollower()
    for (let blobs = 0; blobs < 3; blobs += 1) {
      const pieces = await follower.open(`${worker.url.origin}/spool/key`, 7, SIGNAL)
      let left = blob.length
      // As the gateway reads: it knows which byte is the last one.
      for await (const piece of pieces ?? []) {
        left -= piece.length
        if (left === 0) break
      }
      expect(left).toBe(0)
    }

    expect(worker.asked.map(({ length }) => length)).toEqual([3])
    expect(worker.asked[0]?.[0]).toContain('GET /spool/key HTTP/1.1\r\n')
    expect(worker.asked[0]?.[0]).toContain('Range: bytes=7-\r\n')
  })

  it('goes with its client, and gives up a worker that is gone', async () => {
    using follower = new SpoolFollower()
    worker.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome')
    const client = new AbortController()
    const pieces = await follower.open(`${worker.url.origin}/spool/key`, 0, client.signal)
    const read = bytesOf(pieces)

    client.abort(new Error('the client went away'))

    await expect(read).rejects.toThrow()
    await eventually(() => worker.open.size === 0, { describe: 'the connection to be closed' })
    const { origin } = worker.url
    worker[Symbol.dispose]()
    expect(await follower.open(`${origin}/spool/key`, 0, SIGNAL)).toBeUndefined()
  })

  it('does not wait for a worker that does not answer', async () => {
    using follower = new SpoolFollower()
    worker.answer = () => undefined

    expect(await follower.open(`${worker.url.origin}/spool/key`, 0, SIGNAL)).toBeUndefined()
    await eventually(() => worker.open.size === 0, { describe: 'the connection to be closed' })
  })

  it('forgets the workers of long ago', async () => {
    using follower = new SpoolFollower()
    const url = (host: number) => `http://127.0.0.${host}:${worker.url.port}/spool/key`
    worker[Symbol.dispose]()
    worker = await startRegistryInBytes(blob, { host: '0.0.0.0' })
    await bytesOf(await follower.open(url(1), 0, SIGNAL))
    expect(worker.open.size).toBe(1)

    for (let host = 2; host <= 101; host += 1) {
      await bytesOf(await follower.open(url(host), 0, SIGNAL))
    }

    await eventually(() => worker.open.size === 100, { describe: 'the first to be closed' })
  })
})

async function bytesOf(pieces: AsyncIterable<Buffer> | undefined): Promise<Buffer> {
  if (pieces === undefined) throw new Error('there is no such blob')
  const all: Buffer[] = []
  // Each is good until the next one only.
  for await (const piece of pieces) all.push(Buffer.from(piece))
  return Buffer.concat(all)
}
