import { expect, it } from 'vitest'
import type { Offered } from '../../../../src/queue/enqueued.ts'
import { type AofRedis, DurableOffers } from '../../../../src/queue/offer/durable-offers.ts'

const OFFERED: readonly Offered[] = [{ jobId: 'hq-1', duplicate: false }]

/** Offers to a Redis whose disk has what was written when it is told so; `events` is what happened in its order. */
function durableOffers() {
  const events: string[] = []
  const waits: ((answer: readonly [local: number, replicas: number]) => void)[] = []
  const redis = {
    set: () => Promise.resolve(events.push('SET')),
    call: (name: string, local: string, replicas: string) => {
      events.push([name, local, replicas].join(' '))
      return new Promise((resolve) => waits.push(resolve))
    },
    disconnect: () => events.push('disconnected'),
  } as unknown as AofRedis
  const offers = new DurableOffers(() => {
    events.push('offered')
    return Promise.resolve(OFFERED)
  }, redis)
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
  return { offer, write, settled, events }
}

it('answers once the disk of Redis has what was offered', async () => {
  const { offer, write, settled, events } = durableOffers()

  void offer('one')
  await settled()
  expect(events.splice(0)).toEqual(['offered', 'SET', 'WAITAOF 1 0'])

  expect(await write()).toEqual(['one: 1 on disk'])
})

it('waits once for all that came while it waited, and not with what was under way before them', async () => {
  const { offer, write, settled, events } = durableOffers()
  void offer('one')
  await settled()
  events.splice(0)

  void offer('two')
  void offer('three')
  await settled()
  expect(events.splice(0)).toEqual(['offered', 'offered'])

  expect(await write()).toEqual(['SET', 'WAITAOF 1 0', 'one: 1 on disk'])
  expect(await write()).toEqual(['three: 1 on disk', 'two: 1 on disk'])
})

it('says that the queue is not available when the disk does not have it in time, and asks anew for the next', async () => {
  const { offer, write, settled, events } = durableOffers()
  void offer('one')
  await settled()
  void offer('two')
  await settled()
  events.splice(0)

  expect(await write(false)).toEqual([
    ...['SET', 'WAITAOF 1 0'],
    expect.stringMatching(/^one: QueueUnavailableError: .*has not written it to its disk within/),
  ])
  expect(await write()).toEqual(['two: 1 on disk'])
})
