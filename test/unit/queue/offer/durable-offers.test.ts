import { afterEach, expect, it, vi } from 'vitest'
import type { Offered } from '../../../../src/queue/enqueued.ts'
import { type AofRedis, DurableOffers } from '../../../../src/queue/offer/durable-offers.ts'

afterEach(() => {
  vi.useRealTimers()
})

const OFFERED: readonly Offered[] = [{ jobId: 'hq-1', duplicate: false }]

/** Offers to a Redis whose disk has what was written when it is told so; `events` is what happened in its order. */
function durableOffers() {
  const events: string[] = []
  const waits: ((answer: readonly [local: number, replicas: number]) => void)[] = []
  const made: (() => void)[] = []
  const connection = (which: number) =>
    ({
      set: () => Promise.resolve(events.push(`${which}: SET`)),
      call: (name: string, local: string, replicas: string) => {
        events.push(`${which}: ${[name, local, replicas].join(' ')}`)
        return new Promise((resolve) => waits.push(resolve))
      },
      on: (_: string, listener: () => void) => made.push(listener),
      disconnect: () => events.push(`${which}: disconnected`),
    }) as unknown as AofRedis
  const offers = new DurableOffers(() => {
    events.push('offered')
    return Promise.resolve(OFFERED)
  }, [connection(1), connection(2)])
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  const offer = (name: string) =>
    offers.offer([]).then(
      (offered) => events.push(`${name}: ${offered.length} on disk`),
      (error: unknown) => events.push(`${name}: ${String(error)}`),
    )
  const write = async (isOnDisk = true) => {
    waits.shift()?.([isOnDisk ? 1 : 0, 0])
    await settled()
    return events.splice(0).sort()
  }
  const makeAnew = () => {
    for (const listener of made) listener()
  }
  return { offer, write, settled, events, makeAnew }
}

it('answers once the disk of Redis has what was offered', async () => {
  const { offer, write, settled, events } = durableOffers()

  void offer('one')
  await settled()
  expect(events.splice(0)).toEqual(['offered', '1: SET', '1: WAITAOF 1 0'])

  expect(await write()).toEqual(['one: 1 on disk'])
})

it('waits once for all that came while it waited, on the connection on which they were marked as they came', async () => {
  const { offer, write, settled, events } = durableOffers()
  void offer('one')
  await settled()
  events.splice(0)

  void offer('two')
  await settled()
  void offer('three')
  await settled()
  expect(events.splice(0)).toEqual(['offered', '2: SET', 'offered', '2: SET'])

  expect(await write()).toEqual(['2: WAITAOF 1 0', 'one: 1 on disk'])
  void offer('four')
  await settled()
  expect(events.splice(0)).toEqual(['offered', '1: SET'])
  expect(await write()).toEqual(['1: WAITAOF 1 0', 'three: 1 on disk', 'two: 1 on disk'])
  expect(await write()).toEqual(['four: 1 on disk'])
})

it('says that the queue is not available when the disk does not have it in time, and asks anew for the next', async () => {
  const { offer, write, settled, events } = durableOffers()
  void offer('one')
  await settled()
  void offer('two')
  await settled()
  events.splice(0)

  expect(await write(false)).toEqual([
    '2: WAITAOF 1 0',
    expect.stringMatching(/^one: QueueUnavailableError: .*has not written it to its disk within/),
  ])
  expect(await write()).toEqual(['two: 1 on disk'])
})

it('keeps nobody for longer than one wait may take, however long the one before took', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { offer, write, settled, events } = durableOffers()
  void offer('one')
  await settled()
  void offer('two')
  await settled()
  vi.advanceTimersByTime(1_700)
  await write(false)

  vi.advanceTimersByTime(100)
  await settled()

  expect(events).toEqual([expect.stringMatching(/^two: QueueUnavailableError: .*to its disk/)])
})

it('does not take the word of a connection that was made anew, and has written nothing', async () => {
  const { offer, write, settled, events, makeAnew } = durableOffers()
  void offer('one')
  await settled()
  events.splice(0)
  makeAnew()

  expect(await write()).toEqual([
    expect.stringMatching(/^one: QueueUnavailableError: .*to its disk/),
  ])
  void offer('two')
  await settled()
  events.splice(0)
  expect(await write()).toEqual(['two: 1 on disk'])
})
