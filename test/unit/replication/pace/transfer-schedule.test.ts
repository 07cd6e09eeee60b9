import { describe, expect, it } from 'vitest'
import { TRIGGERS, type Trigger } from '../../../../src/replication/request.ts'
import {
  SMALL_BYTES,
  TransferSchedule,
} from '../../../../src/replication/pace/transfer-schedule.ts'
import type { Transfer, TransferSlots } from '../../../../src/replication/pace/transfer-slots.ts'

const never = new AbortController().signal
const LARGE = SMALL_BYTES + 1

/** Transfers that end when they are told to, and in which order they began. */
class Bench {
  readonly began: string[] = []
  readonly schedule: TransferSchedule
  readonly limits: { upstream: number; local: number }
  readonly #open = new Map<string, () => void>()

  constructor(upstream: number, local = 100) {
    this.limits = { upstream, local }
    this.schedule = new TransferSchedule({
      upstream: () => this.limits.upstream,
      local: () => this.limits.local,
    })
  }

  job(trigger: Trigger, queuedAt = 0, upstream = 'hq'): TransferSlots {
    return this.schedule.slots(upstream, { urgency: TRIGGERS.indexOf(trigger), queuedAt })
  }

  begin(slots: TransferSlots, name: string, bytes: number = LARGE, uploads = true): Promise<void> {
    return this.start(slots, name, { bytes, uploads })
  }

  start(slots: TransferSlots, name: string, transfer: Transfer): Promise<void> {
    return slots.run(transfer, never, () => {
      this.began.push(name)
      return new Promise((resolve) => {
        this.#open.set(name, resolve)
      })
    })
  }

  async end(...names: string[]): Promise<void> {
    for (const name of names) {
      this.#open.get(name)?.()
      await settled()
    }
  }

  /** Ends what runs, one after the other, until nothing runs any more. */
  async endAll(): Promise<void> {
    await settled()
    for (const name of this.began) await this.end(name)
  }
}

/** Until every promise that can go on has gone on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('the transfer schedule', () => {
  it('starts no more at once than the upstream allows', async () => {
    const bench = new Bench(3)
    const job = bench.job('miss')
    for (const name of ['a', 'b', 'c', 'd']) void bench.begin(job, name, 1)
    await settled()
    expect(bench.began).toEqual(['a', 'b', 'c'])

    await bench.end('b')

    expect(bench.began).toEqual(['a', 'b', 'c', 'd'])
  })

  it('lets those that only ask begin beside the transfers, and as many of them', async () => {
    const bench = new Bench(2)
    const job = bench.job('miss')
    const asking = { bytes: 0, uploads: false, asks: true }
    for (const name of ['ask 1', 'ask 2', 'ask 3']) void bench.start(job, name, asking)
    for (const name of ['a', 'b', 'c']) void bench.begin(job, name, 1)
    await settled()
    expect(bench.began).toEqual(['ask 1', 'ask 2', 'a', 'b'])

    await bench.end('ask 1')
    await bench.end('a')

    expect(bench.began).toEqual(['ask 1', 'ask 2', 'a', 'b', 'ask 3', 'c'])
  })

  it('takes the most urgent job first, then the oldest, then its largest transfer', async () => {
    const bench = new Bench(1)
    void bench.begin(bench.job('miss'), 'running')
    const [resync, push] = [bench.job('resync', 1), bench.job('push', 2)]
    const [young, old] = [bench.job('miss', 20), bench.job('miss', 10)]
    void bench.begin(resync, 'resync')
    void bench.begin(push, 'push')
    void bench.begin(young, 'young, largest', 1_000)
    void bench.begin(old, 'old, small', 10)
    void bench.begin(old, 'old, large', 100)
    await bench.endAll()

    expect(bench.began).toEqual([
      ...['running', 'old, large', 'old, small', 'young, largest'],
      ...['push', 'resync'],
    ])
  })

  it('keeps a slot for small transfers', async () => {
    const bench = new Bench(8)
    const job = bench.job('miss', 1)
    for (let n = 0; n < 8; n += 1) void bench.begin(job, `10 GiB layer ${n}`)
    await settled()
    expect(bench.began).toHaveLength(7)

    void bench.begin(bench.job('miss', 2), 'small layer', SMALL_BYTES)
    await settled()

    expect(bench.began.at(-1)).toBe('small layer')
  })

  it.each([8, 3, 2])(
    'keeps a slot of %i for who is waited for, whatever the background does',
    async (limit) => {
      const bench = new Bench(limit)
      const resync = bench.job('resync')
      for (let n = 0; n < 20; n += 1) void bench.begin(resync, `small ${n}`, 1)
      for (let n = 0; n < 20; n += 1) void bench.begin(bench.job('push'), `large ${n}`)
      await settled()
      expect(bench.began).toHaveLength(limit - 1)

      void bench.begin(bench.job('miss'), 'miss')
      await settled()

      expect(bench.began.at(-1)).toBe('miss')
    },
  )

  it('lets everything through a single slot', async () => {
    const bench = new Bench(1, 1)
    void bench.begin(bench.job('resync'), 'large')
    void bench.begin(bench.job('miss'), 'large miss')
    void bench.begin(bench.job('miss'), 'small miss', 1)
    void bench.begin(bench.job('push'), 'manifest', 1, false)
    await bench.endAll()

    expect(bench.began).toHaveLength(4)
  })

  it('limits what is sent to the local registry over all upstreams', async () => {
    const bench = new Bench(4, 2)
    for (const upstream of ['hq', 'lab', 'dr']) {
      void bench.begin(bench.job('miss', 0, upstream), upstream, 1)
    }
    await settled()
    expect(bench.began).toEqual(['hq', 'lab'])

    void bench.begin(bench.job('miss', 0, 'dr'), 'manifest', 1, false)
    await settled()
    expect(bench.began).toEqual(['hq', 'lab', 'manifest'])

    await bench.end('hq')
    expect(bench.began.at(-1)).toBe('dr')
  })

  it('lets another upstream go on while one may not start anything', async () => {
    const schedule = new TransferSchedule({
      upstream: (id) => (id === 'held' ? 0 : 1),
      local: () => 1,
    })
    const order = { urgency: 0, queuedAt: 0 }
    const impatient = new AbortController()
    const held = schedule
      .slots('held', order)
      .run({ bytes: 1, uploads: true }, impatient.signal, () => Promise.resolve('began'))

    const other = schedule.slots('other', order)
    const done = other.run({ bytes: 1, uploads: true }, never, () => Promise.resolve('done'))

    expect(await done).toBe('done')
    impatient.abort(new Error('gave up'))
    await expect(held).rejects.toThrow('gave up')
  })

  it('starts more as soon as it is told of a higher limit', async () => {
    const bench = new Bench(1)
    const job = bench.job('miss')
    for (const name of ['a', 'b', 'c']) void bench.begin(job, name, 1)
    bench.limits.upstream = 3
    bench.schedule.startWaiting()
    await settled()

    expect(bench.began).toEqual(['a', 'b', 'c'])
  })

  it('gives whoever has waited longest one start in sixteen, one at a time', async () => {
    const bench = new Bench(1)
    void bench.begin(bench.job('miss'), 'miss 0')
    void bench.begin(bench.job('resync', 1), 'resync a')
    void bench.begin(bench.job('resync', 2), 'resync b')
    for (let n = 1; n < 40; n += 1) void bench.begin(bench.job('miss', 10 + n), `miss ${n}`)
    await bench.endAll()

    expect(bench.began.indexOf('resync a')).toBe(15)
    expect(bench.began.indexOf('resync b')).toBe(31)
  })

  it('gives slots for more connections to the only large transfer that runs', async () => {
    const bench = new Bench(4)
    const [job, other] = [bench.job('miss'), bench.job('miss', 1)]
    const first = bench.begin(job, 'first')
    await settled()

    const [one, another, none] = [job.extra(), job.extra(), job.extra()]
    const small = bench.begin(other, 'small', 1)
    const second = bench.begin(other, 'second')
    await settled()
    const before = [...bench.began]
    one?.()
    await settled()

    // One slot is for small transfers.
    expect([one, another, none].map((slot) => slot !== undefined)).toEqual([true, true, false])
    expect(before).toEqual(['first', 'small'])
    expect(bench.began).toEqual(['first', 'small', 'second'])
    another?.()
    expect(job.extra()).toBeUndefined()

    await bench.end('second', 'small')
    expect(job.extra()).toBeDefined()
    await bench.endAll()
    await Promise.all([first, second, small])
  })

  it('gives no slot for more connections while the rate of the upstream is set', () => {
    let rate: number | undefined = 1024
    const schedule = new TransferSchedule({
      upstream: () => 4,
      local: () => 4,
      bytesPerSecond: (id) => (id === 'set' ? rate : undefined),
    })
    const order = { urgency: 0, queuedAt: 0 }
    const [set, other] = [schedule.slots('set', order), schedule.slots('other', order)]

    expect(set.extra()).toBeUndefined()
    expect(other.extra()).toBeDefined()
    rate = undefined
    expect(set.extra()).toBeDefined()
  })

  it('frees the place of one that gave up waiting', async () => {
    const bench = new Bench(1)
    const job = bench.job('miss')
    void bench.begin(job, 'first', 1)
    const impatient = new AbortController()
    const second = job.run({ bytes: 1, uploads: true }, impatient.signal, () =>
      Promise.resolve('second'),
    )
    const third = job.run({ bytes: 1, uploads: true }, never, () => Promise.resolve('third'))

    impatient.abort(new Error('gave up'))
    await expect(second).rejects.toThrow('gave up')
    await bench.endAll()

    expect(await third).toBe('third')
  })

  it('frees the slots of a transfer that failed', async () => {
    const bench = new Bench(1, 1)
    const job = bench.job('miss')
    const transfer = { bytes: 1, uploads: true }
    const failing = job.run(transfer, never, () => Promise.reject(new Error('broke')))

    await expect(failing).rejects.toThrow('broke')
    expect(await job.run(transfer, never, () => Promise.resolve('next'))).toBe('next')
  })
})
