import { describe, expect, it } from 'vitest'
import { PatientSemaphore } from '../../../src/waiting/patient-semaphore.ts'

const LONG = { patienceMs: 60_000, signal: new AbortController().signal }

/** An act that ends when it is told to. */
function act() {
  let end: (error?: Error) => void = () => undefined
  const state = { begun: false }
  const run = () =>
    new Promise<void>((resolve, reject) => {
      state.begun = true
      end = (error) => {
        if (error === undefined) resolve()
        else reject(error)
      }
    })
  return {
    state,
    run,
    end: (error?: Error) => {
      end(error)
    },
  }
}

async function soon(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('PatientSemaphore', () => {
  it('lets one act after the other, in the order they came', async () => {
    const turns = new PatientSemaphore(1)
    const [first, second, third] = [act(), act(), act()]
    const all = [first, second, third].map(({ run }) => turns.take(LONG, run))
    const begun = () => [first, second, third].map(({ state }) => state.begun)

    await soon()
    expect(begun()).toEqual([true, false, false])
    first.end()
    await soon()
    expect(begun()).toEqual([true, true, false])
    second.end()
    await soon()
    expect(begun()).toEqual([true, true, true])
    third.end()
    await Promise.all(all)
  })

  it('lets no more act at once than it was told', async () => {
    const turns = new PatientSemaphore(2)
    const acts = [act(), act(), act(), act()]
    const all = acts.map(({ run }) => turns.take(LONG, run))
    const begun = () => acts.filter(({ state }) => state.begun).length

    await soon()
    expect(begun()).toBe(2)
    acts[1]?.end()
    await soon()
    expect(begun()).toBe(3)
    acts[0]?.end()
    await soon()
    expect(begun()).toBe(4)
    acts[2]?.end()
    acts[3]?.end()
    await Promise.all(all)
  })

  it('goes on after one that failed, which alone is told', async () => {
    const turns = new PatientSemaphore(1)
    const failing = act()
    const failed = turns.take(LONG, failing.run)
    const next = turns.take(LONG, () => Promise.resolve('done'))
    await soon()

    failing.end(new Error('no'))

    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('done')
  })

  it('lets nobody wait longer than its patience', async () => {
    const turns = new PatientSemaphore(1)
    const endless = act()
    void turns.take(LONG, endless.run)

    expect(await turns.take({ ...LONG, patienceMs: 10 }, () => Promise.resolve('done'))).toBe(
      'done',
    )
    expect(endless.state.begun).toBe(true)
  })

  it("has nobody wait who is stopped, and his turn is the next one's", async () => {
    const turns = new PatientSemaphore(1)
    const [first, last] = [act(), act()]
    void turns.take(LONG, first.run)
    const stop = new AbortController()
    const stopped = turns.take({ ...LONG, signal: stop.signal }, () => Promise.resolve('acted'))
    const all = turns.take(LONG, last.run)

    stop.abort(new Error('the worker is stopping'))
    await expect(stopped).rejects.toThrow('is stopping')
    first.end()
    await soon()
    expect(last.state.begun).toBe(true)
    last.end()
    await all
  })
})
