import { describe, expect, it } from 'vitest'
import { ChunkBuffers } from '../../../src/registry/chunk-buffers.ts'

const SIGNAL = new AbortController().signal

/** Whether the promise is settled once all that can happen by itself has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise((resolve) => setImmediate(resolve, 'later'))
  return (await Promise.race([promise.catch(() => 'failed'), later])) !== 'later'
}

describe('ChunkBuffers', () => {
  it('gives what fits below the limit at once, and the rest in turn', async () => {
    const buffers = new ChunkBuffers(100)
    const first = await buffers.take(60, SIGNAL)
    const second = buffers.take(60, SIGNAL)
    // It would fit, and must wait all the same: else a large one might wait for ever.
    const third = buffers.take(10, SIGNAL)

    expect(await isSettled(Promise.race([second, third]))).toBe(false)
    buffers.giveBack(first)
    expect((await Promise.all([second, third])).map(({ length }) => length)).toEqual([60, 10])
  })

  it('gives the same memory again, but none that was forgotten', async () => {
    const buffers = new ChunkBuffers(100)
    const kept = await buffers.take(10, SIGNAL)
    const forgotten = await buffers.take(10, SIGNAL)
    const givenBack = await buffers.take(10, SIGNAL)

    buffers.giveBack(givenBack)
    buffers.forget(forgotten)
    const [next, afterNext] = [await buffers.take(10, SIGNAL), await buffers.take(10, SIGNAL)]

    expect(next).toBe(givenBack)
    expect([kept, forgotten, givenBack]).not.toContain(afterNext)
  })

  it('never gives memory of another size', async () => {
    const buffers = new ChunkBuffers(100)
    await buffers.take(1, SIGNAL)
    buffers.giveBack(await buffers.take(10, SIGNAL))

    expect(await buffers.take(20, SIGNAL)).toHaveLength(20)
  })

  it('lets a chunk above the limit pass alone', async () => {
    const buffers = new ChunkBuffers(100)
    const small = await buffers.take(10, SIGNAL)
    const large = buffers.take(200, SIGNAL)

    expect(await isSettled(large)).toBe(false)
    buffers.giveBack(small)
    expect(await large).toHaveLength(200)
  })

  it('lets those behind one that gives up take its turn', async () => {
    const buffers = new ChunkBuffers(100)
    await buffers.take(60, SIGNAL)
    const stop = new AbortController()
    const large = buffers.take(60, stop.signal)
    const small = buffers.take(40, SIGNAL)
    const reason = new Error('enough')

    stop.abort(reason)

    await expect(large).rejects.toBe(reason)
    expect(await small).toHaveLength(40)
  })

  it('holds no memory once all is given back', async () => {
    const buffers = new ChunkBuffers(100)
    const first = await buffers.take(10, SIGNAL)
    buffers.giveBack(first)

    expect(await buffers.take(10, SIGNAL)).not.toBe(first)
  })
})
