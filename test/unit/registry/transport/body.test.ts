import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { discard, readUpTo } from '../../../../src/registry/transport/body.ts'

const MIB = 1024 * 1024

function* pieces(count: number, heap: { most: number }) {
  const bytes = Buffer.alloc(1_000, 'a')
  for (let at = 0; at < count; at += 1) {
    if (at % 10_000 === 0) heap.most = Math.max(heap.most, process.memoryUsage().heapUsed)
    yield bytes.subarray(at % 1_000, (at % 1_000) + 1)
  }
}

describe('a body that is read whole', () => {
  it('byte by byte takes little more memory than its bytes', async () => {
    const heap = { most: 0 }
    const before = process.memoryUsage().heapUsed
    const body = Readable.from(pieces(2 * MIB, heap), { objectMode: false })
    const { bytes, complete } = await readUpTo(2 * MIB, body)

    expect(complete && bytes.equals(Buffer.alloc(2 * MIB, 'a'))).toBe(true)
    expect((heap.most - before) / MIB).toBeLessThan(120)
  })

  it('is as long as it may be, where there is more of it', async () => {
    const body = Readable.from([Buffer.from('abc'), Buffer.from('def')], { objectMode: false })
    const { bytes, complete } = await readUpTo(4, body)

    expect([bytes.toString(), complete, body.destroyed]).toEqual(['abcd', false, true])
  })
})

describe('a body that nobody reads', () => {
  it('is let go of where its end does not come soon', async () => {
    const body = new Readable({ read: () => undefined })
    body.push('a')
    discard(body, 1_000, 20)
    await once(body, 'close')

    expect(body.readableEnded).toBe(false)
  })

  it('is read to its end where that is here', async () => {
    const body = Readable.from([Buffer.from('abc')], { objectMode: false })
    discard(body)
    await once(body, 'close')

    expect(body.readableEnded).toBe(true)
  })
})
