import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Breakers, LOCAL } from '../../../src/pool/breaker.ts'
import { retryJob } from '../../../src/queue/records/job-actions.ts'
import { findJob, readJobLog } from '../../../src/queue/records/job-records.ts'
import { readCounts, readStatus } from '../../../src/queue/records/upstream-status.ts'
import { RegistryError } from '../../../src/registry/errors/registry-error.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import { eventually } from '../../support/eventually.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { replicationRequest as request } from '../../support/given/replication-request.ts'
import { COPIED, queueSite, type QueueSite } from './queue-site.ts'

describe('the queue', () => {
  let site: QueueSite

  beforeEach(async () => {
    site = await queueSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('counts an image that is refused among the failures of its upstream', async () => {
    const refused: Outcome = { kind: 'refused', reason: 'it is of schema 1', failure: true }
    site.startWorker(() => Promise.resolve(refused))
    await site.queues.enqueue([request()])
    await eventually(async () => (await site.jobs('completed')).length === 1)
    const status = async () =>
      (await readStatus(site.queues)).find(({ upstream }) => upstream === 'hq')

    expect((await status())?.health.lastFailure).toBe('refused: it is of schema 1')
    // As of the minute before this one: only full minutes are counted.
    const [key = ''] = await site.queues.redis.keys('pullsync:refused:hq:*')
    const minute = Number(key.split(':').at(-1))
    await site.queues.redis.rename(key, `pullsync:refused:hq:${minute - 1}`)
    expect((await status())?.recent.failed).toBe(1)
  })

  it('tries a transient failure as often as configured and keeps the reason', async () => {
    const attempts: number[] = []
    site.startWorker((_, { attempt }) => {
      attempts.push(attempt)
      return Promise.reject(new ReplicationError('hq said 503', { disposition: 'transient' }))
    })
    await site.queues.enqueue([request()])

    const [failed] = await eventually(async () => {
      const found = await site.jobs('failed')
      return found.length > 0 && found
    })

    expect(attempts).toEqual([1, 2, 3])
    expect(failed?.failedReason).toBe('hq said 503')
  })

  it('fails a permanent error at once', async () => {
    const attempts: number[] = []
    site.startWorker((_, { attempt }) => {
      attempts.push(attempt)
      return Promise.reject(new ReplicationError('wrong password', { disposition: 'permanent' }))
    })
    await site.queues.enqueue([request()])

    await eventually(async () => (await site.jobs('failed')).length === 1)

    expect(attempts).toEqual([1])
  })

  it('runs a failed job again with all its attempts, and holds misses off meanwhile', async () => {
    let healthy = false
    const worker = site.startWorker(() =>
      healthy
        ? Promise.resolve(COPIED)
        : Promise.reject(new ReplicationError('down', { disposition: 'permanent' })),
    )
    const [told] = await site.queues.enqueue([request()])
    const id = told?.jobId ?? ''
    await eventually(async () => (await site.jobs('failed')).length === 1)
    healthy = true

    expect(await retryJob(site.queues, id)).toEqual({ id, done: true })
    await eventually(
      async () => (await findJob(site.queues, id))?.record.outcome?.kind === 'copied',
    )

    expect(await retryJob(site.queues, id)).toMatchObject({ done: false })
    expect(await retryJob(site.queues, 'hq-000000000000')).toMatchObject({ done: false })
    expect(worker).toBeDefined()
  })

  it('runs a job now that was parked for a long while', async () => {
    let room = false
    const worker = site.startWorker(() =>
      room
        ? Promise.resolve(COPIED)
        : Promise.reject(
            new RegistryError('the disk is full', {
              ...{ disposition: 'parked', status: 507, registry: 'local', side: 'local' },
            }),
          ),
    )
    const [told] = await site.queues.enqueue([request()])
    const id = told?.jobId ?? ''
    await eventually(async () => (await site.jobs('delayed')).length === 1)
    room = true

    expect(await retryJob(site.queues, id)).toEqual({ id, done: true })
    await eventually(
      async () => (await findJob(site.queues, id))?.record.outcome?.kind === 'copied',
    )
    expect(worker).toBeDefined()
  })

  it('keeps every job of an upstream waiting as long as the upstream asked for', async () => {
    const ran: string[] = []
    const held: number[] = []
    const ranAt: number[] = []
    site.startWorker(
      ({ reference }) => {
        ran.push(reference)
        ranAt.push(performance.now())
        return reference === 'first' && ran.length === 1
          ? Promise.reject(
              new RegistryError('429', {
                ...{ disposition: 'transient', retryAfterMs: 700, status: 429 },
                ...{ registry: 'hq', side: 'upstream' },
              }),
            )
          : Promise.resolve(COPIED)
      },
      { held: (_, { forMs }) => held.push(forMs) },
    )
    await site.queues.enqueue([request({ reference: 'first' })])
    await eventually(() => held.length === 1)

    await site.queues.enqueue([request({ reference: 'second' })])
    await eventually(() => ran.includes('second'))

    const [refusedAt = 0, nextAt = 0] = ranAt
    expect(nextAt - refusedAt).toBeGreaterThanOrEqual(690)
    await eventually(async () => (await site.jobs('completed')).length === 2)
  })

  it('hands a running job back when the worker stops, and another worker finishes it', async () => {
    const handedBack: string[] = []
    let running = false
    const first = site.startWorker(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
          running = true
        }),
      { handedBack: ({ id }) => handedBack.push(id) },
    )
    await site.queues.enqueue([request()])
    await eventually(() => running)

    const closing = first[Symbol.asyncDispose]()
    first.handBack()
    await closing
    expect(handedBack).toHaveLength(1)
    expect(await readCounts(site.queues.of('hq'))).toMatchObject({ active: 0, failed: 0 })

    site.startWorker((_, { attempt }) => {
      expect(attempt).toBe(1)
      return Promise.resolve(COPIED)
    })
    await eventually(async () => (await site.jobs('completed')).length === 1)
  })

  it('refuses a payload that is no request, without trying it again', async () => {
    site.startWorker(() => Promise.resolve(COPIED))
    await site.queues.of('hq').add('miss', { repository: '../etc' }, { attempts: 3 })

    const [failed] = await eventually(async () => {
      const found = await site.jobs('failed')
      return found.length > 0 && found
    })

    expect(failed?.failedReason).toContain('payload')
    expect(failed?.attemptsMade).toBe(1)
  })

  it('says once why a job is put off again and again', async () => {
    const breakers = new Breakers(site.queues.redis, () => OUTAGES)
    await breakers.failed(LOCAL, { kind: 'down', reason: 'answered 503', forMs: 60_000 })
    site.startWorker(() => Promise.resolve(COPIED))
    const [told] = await site.queues.enqueue([request()])
    const id = told?.jobId ?? ''
    const putOff = async (before = 0) => {
      const found = await findJob(site.queues, id)
      const { state, startedAt = 0 } = found?.record ?? {}
      return state === 'delayed' && startedAt > before && found && { found, startedAt }
    }
    let { found, startedAt } = await eventually(() => putOff())

    for (let times = 0; times < 5; times += 1) {
      await retryJob(site.queues, id)
      const before = startedAt
      ;({ found, startedAt } = await eventually(() => putOff(before)))
    }

    const lines = await readJobLog(found)
    expect(lines.filter((line) => line.includes('answered 503'))).toHaveLength(1)
  })
})
