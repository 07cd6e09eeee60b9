import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { SlowStart } from '../../../src/waiting/slow-start.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** So many want to know something, and who has asked so far gets its answer when told. */
async function tenAsk() {
  const start = new SlowStart({ atOnce: () => 3, patienceMs: 2_000, trustMs: 10_000 })
  const asked: { answer: () => void; fail: (error: Error) => void }[] = []
  const question = () => new Promise<void>((answer, fail) => asked.push({ answer, fail }))
  const ask = () => {
    start.ask(question).catch(() => undefined)
  }
  for (let n = 0; n < 10; n += 1) ask()
  const settled = () => vi.advanceTimersByTimeAsync(0)
  await settled()
  return { asked, ask, settled }
}

it('lets all ask once one has been answered, and for as long as that is to be trusted', async () => {
  const { asked, ask, settled } = await tenAsk()
  expect(asked).toHaveLength(3)

  asked[0]?.answer()
  await settled()

  expect(asked).toHaveLength(10)
  expect(vi.getTimerCount()).toBe(0)
  await vi.advanceTimersByTimeAsync(9_999)
  ask()
  await settled()
  expect(asked).toHaveLength(11)
  await vi.advanceTimersByTimeAsync(1)
  ask()
  await settled()
  expect(asked).toHaveLength(11)
})

it('lets one ask for each that fails', async () => {
  const { asked, settled } = await tenAsk()

  asked[0]?.fail(new Error('down'))
  asked[1]?.fail(new Error('down'))
  await settled()

  expect(asked).toHaveLength(5)
})

it('keeps nobody waiting for what hangs', async () => {
  const { asked } = await tenAsk()

  await vi.advanceTimersByTimeAsync(1_999)
  expect(asked).toHaveLength(3)
  await vi.advanceTimersByTimeAsync(1)

  expect(asked).toHaveLength(10)
})
