import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findJob } from '../../../src/queue/records/job-records.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import { eventually } from '../../support/eventually.ts'
import { replicationRequest as request } from '../../support/given/replication-request.ts'
import { COPIED, queueSite, type QueueSite } from './queue-site.ts'

describe('the queue', () => {
  let site: QueueSite

  beforeEach(async () => {
    site = await queueSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('makes one job of the same miss, however often it is told', async () => {
    const told = await Promise.all(
      Array.from({ length: 500 }, () => site.queues.enqueue([request()])),
    )

    expect(told.flat().filter(({ duplicate }) => !duplicate)).toHaveLength(1)
    expect(await site.jobs()).toHaveLength(1)
  })

  it('answers a repeated miss by how the last one ended, while it is fresh', async () => {
    let runs = 0
    site.startWorker(async () => {
      runs += 1
      await Promise.resolve()
      return { kind: 'not-found', upstreams: ['hq'] }
    })
    const [first] = await site.queues.enqueue([request()])
    await eventually(async () => (await site.jobs('completed')).length === 1)

    const [second] = await site.queues.enqueue([request()])

    expect(second).toEqual({ jobId: first?.jobId, duplicate: true })
    expect(runs).toBe(1)
  })

  it('does not hold an ending against a push, a person or a resync', async () => {
    site.startWorker(() => Promise.resolve(COPIED))
    for (const trigger of ['miss', 'push', 'manual'] as const) {
      const [told] = await site.queues.enqueue([request({ trigger })])
      expect(told?.duplicate).toBe(false)
      await eventually(
        async () => (await findJob(site.queues, told?.jobId ?? ''))?.record.finishedAt,
      )
    }
    expect(await site.jobs('completed')).toHaveLength(3)

    // Of the thousands of a walk, those that end well leave no record.
    const [told] = await site.queues.enqueue([request({ trigger: 'resync' })])
    expect(told?.duplicate).toBe(false)
    await eventually(async () => (await findJob(site.queues, told?.jobId ?? '')) === undefined)
    expect(await site.jobs('completed')).toHaveLength(3)
  })

  it('runs once more what a push asked for during an active copy, and a miss not', async () => {
    const gates: (() => void)[] = []
    site.startWorker(
      () =>
        new Promise((resolve) => {
          gates.push(() => {
            resolve(COPIED)
          })
        }),
    )
    await site.queues.enqueue([request()])
    await eventually(() => gates.length === 1)
    await site.queues.enqueue([request(), request()])
    const pushes = await Promise.all(
      Array.from({ length: 5 }, () => site.queues.enqueue([request({ trigger: 'push' })])),
    )
    expect(pushes.flat().every(({ duplicate }) => duplicate)).toBe(true)

    gates[0]?.()
    await eventually(() => gates.length === 2)
    gates[1]?.()
    await eventually(async () => (await site.jobs('completed')).length === 2)

    const triggers = (await site.jobs('completed')).map((job) => job.request?.trigger)
    expect(triggers.toSorted()).toEqual(['miss', 'push'])
    expect(await site.jobs('active', 'waiting', 'delayed')).toEqual([])
  })

  it('runs what a push asks for when the job that it meets ends in that moment', async () => {
    let letGo = (): void => undefined
    let ran = 0
    site.startWorker(async () => {
      ran += 1
      if (ran === 1) await new Promise<void>((resolve) => (letGo = resolve))
      return COPIED
    })
    await site.queues.enqueue([request()])
    await eventually(() => ran === 1)
    const queue = site.queues.of('hq')
    const add = queue.addBulk.bind(queue)
    queue.addBulk = async (jobs) => {
      queue.addBulk = add
      letGo()
      await eventually(async () => (await queue.getCompletedCount()) === 1)
      return await add(jobs)
    }

    const [pushed] = await site.queues.enqueue([request({ trigger: 'push' })])

    expect(pushed?.duplicate).toBe(false)
    await eventually(() => ran === 2)
  })

  it('does not let a miss that waits swallow a push: it looks upstream only when nothing is here', async () => {
    const [missed] = await site.queues.enqueue([request()])
    const [pushed, again] = [
      ...(await site.queues.enqueue([request({ trigger: 'push' })])),
      ...(await site.queues.enqueue([request({ trigger: 'push' })])),
    ]

    expect(pushed).toEqual({
      jobId: expect.not.stringMatching(`^${missed?.jobId}$`) as string,
      duplicate: false,
    })
    expect(again).toEqual({ jobId: pushed?.jobId, duplicate: true })
  })

  it('does not let a job that only refreshes what is held swallow a miss', async () => {
    const notHeld: Outcome = { kind: 'refused', reason: 'not held locally' }
    const refresh = request({ trigger: 'push', onlyIfPresent: true })
    await site.queues.enqueue([refresh])
    const [waiting] = await site.queues.enqueue([request()])
    expect(waiting?.duplicate).toBe(false)
    site.startWorker(({ onlyIfPresent }) => Promise.resolve(onlyIfPresent ? notHeld : COPIED))
    await eventually(async () => (await site.jobs('completed')).length === 2)

    const other = { reference: '2.0' }
    await site.queues.enqueue([request({ ...refresh, ...other })])
    await eventually(async () => (await site.jobs('completed')).length === 3)
    const [ended] = await site.queues.enqueue([request(other)])
    expect(ended?.duplicate).toBe(false)
  })

  it('does not let a miss wait where the same work waits further back', async () => {
    const [resync] = await site.queues.enqueue([request({ trigger: 'resync' })])
    const [miss] = await site.queues.enqueue([request()])
    const [again] = await site.queues.enqueue([request()])

    expect(miss?.duplicate).toBe(false)
    expect(again).toEqual({ jobId: miss?.jobId, duplicate: true })
    expect(resync?.jobId).not.toBe(miss?.jobId)
  })
})
