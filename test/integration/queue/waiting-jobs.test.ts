import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { QueueUnavailableError } from '../../../src/pool/redis-errors.ts'
import { findJob, JOB_STATES, listJobs } from '../../../src/queue/records/job-records.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { readCounts, readStatus } from '../../../src/queue/records/upstream-status.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { eventually } from '../../support/eventually.ts'
import { replicationRequest as request } from '../../support/given/replication-request.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { COPIED, JOBS, queueSite, type QueueSite } from './queue-site.ts'

describe('the queue', () => {
  let site: QueueSite

  beforeEach(async () => {
    site = await queueSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it("keeps of BullMQ's events only the last, however much progress is told", async () => {
    const [told] = await site.queues.enqueue([request()])
    const found = await findJob(site.queues, told?.jobId ?? '')

    for (let batch = 0; batch < 30; batch += 1) {
      await Promise.all(Array.from({ length: 100 }, async (_, n) => found?.job.updateProgress(n)))
    }

    // Redis trims whole nodes of a stream, of a hundred events.
    expect(await site.queues.redis.xlen('pullsync:hq:events')).toBeLessThanOrEqual(1_100)
  })

  it('takes misses before pushes before resyncs', async () => {
    await site.queues.enqueue([
      request({ trigger: 'resync', reference: 'c' }),
      request({ trigger: 'push', reference: 'b' }),
      request({ trigger: 'miss', reference: 'a' }),
    ])
    const order: string[] = []
    const connection = openWorkerConnection(site.redis.url, () => undefined)
    await using worker = new JobWorker({
      upstream: 'hq',
      queue: site.queues.of('hq'),
      connection,
      concurrency: 1,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate: ({ trigger }) => {
        order.push(trigger)
        return Promise.resolve(COPIED)
      },
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      suspects: new Suspects(),
      listener: SILENT,
    })
    await eventually(() => order.length === 3)
    await worker[Symbol.asyncDispose]()
    connection.disconnect()

    expect(order).toEqual(['miss', 'push', 'resync'])
  })

  async function addMisses(count: number) {
    const references = Array.from({ length: count }, (_, n) => `build-${n}`)
    await site.queues.enqueue(references.map((reference) => request({ reference })))
  }

  /** Of Redis' memory, for everything that has to do with waiting jobs. */
  async function bytesOfJobs() {
    const keys = await site.queues.redis.keys('pullsync:hq:*')
    const usages = await Promise.all(
      keys
        .filter((key) => !key.endsWith(':events'))
        .map((key) => site.queues.redis.memory('USAGE', key, 'SAMPLES', 0)),
    )
    return usages.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
  }

  it.each([
    ['as Redis is by default', undefined, 950],
    ['as the Redis of "up" is', '1024', 560],
  ])('takes few bytes of memory for a push that waits, %s', async (_, packedUpTo, atMost) => {
    if (packedUpTo !== undefined) {
      await site.queues.redis.config('SET', 'hash-max-ziplist-value', packedUpTo)
    }
    const pushes = Array.from({ length: 200 }, (_, n) =>
      request({
        ...{ trigger: 'push', reference: `build-${n}`, source: 'edge', referrers: true },
        announcedDigest: digestOf(Buffer.from(`${n}`)),
        eventId: randomUUID(),
      }),
    )

    await site.queues.enqueue(pushes)

    expect((await bytesOfJobs()) / 200).toBeLessThan(atMost)
  })

  it('forgets at once what a walk has brought, and keeps what somebody has asked for', async () => {
    site.startWorker(() => Promise.resolve(COPIED))
    await site.queues.enqueue([request({ trigger: 'resync' })])
    await site.queues.enqueue([request({ trigger: 'manual', reference: '2.0' })])

    await eventually(async () => (await readCounts(site.queues.of('hq'))).waiting === 0)
    await eventually(async () => (await readCounts(site.queues.of('hq'))).active === 0)

    expect((await site.jobs()).map((job) => job.request?.reference)).toEqual(['2.0'])
  })

  it('works off what an earlier version has left waiting', async () => {
    const { upstreamRepository: _, ...left } = request({ trigger: 'push', onlyIfPresent: true })
    const [id, opts] = ['hq-9f2c01d4a7be', { priority: 3, attempts: 2, stackTraceLimit: 0 }]
    const deduplication = { id: 'team/app:1.0', keepLastIfActive: true }
    await site.queues.of('hq').add('push', left, { ...opts, jobId: id, deduplication })

    const [again, , more] = await site.queues.enqueue([
      request({ trigger: 'push', onlyIfPresent: true }),
      request({ reference: '2.0' }),
      request({ trigger: 'push' }),
    ])
    const brought: unknown[] = []
    site.startWorker((asked) => {
      brought.push(asked)
      return Promise.resolve(COPIED)
    })
    await eventually(async () => (await site.jobs('completed')).length === 3)

    expect(again).toEqual({ jobId: id, duplicate: true })
    // The one that was left only refreshes.
    expect(more?.duplicate).toBe(false)
    expect(brought).toContainEqual(request({ trigger: 'push', onlyIfPresent: true }))
  })

  it('leaves a job of an earlier version in a form that such a one reads, too', async () => {
    const left = request({ trigger: 'miss', source: 'gateway', client: 'a' })
    await site.queues.of('hq').add('miss', left, { jobId: 'hq-left', attempts: 1 })
    site.startWorker(() => Promise.reject(new Error('upstream is away')))
    await eventually(async () => (await site.jobs('failed')).length === 1)

    const job = await site.queues.of('hq').getJob('hq-left')
    expect(job?.data).toEqual({ ...left, unpaid: true })
  })

  it('is asked as much for a status, and for the newest jobs, however many wait', async () => {
    const asked = async (ask: () => Promise<unknown>) => {
      const commands = async () =>
        Number(/total_commands_processed:(\d+)/.exec(await site.queues.redis.info('stats'))?.[1])
      const before = await commands()
      await ask()
      return (await commands()) - before
    }
    const status = () => readStatus(site.queues)
    const newest = () =>
      listJobs(site.queues, { states: JOB_STATES, matches: () => true, limit: 5 })
    await addMisses(20)
    // So that their scripts are known to Redis.
    await Promise.all([status(), newest()])
    const ofFew = [await asked(status), await asked(newest)]

    await addMisses(600)

    expect([await asked(status), await asked(newest)]).toEqual(ofFew)
    expect(await newest()).toHaveLength(5)
  })

  it('keeps the queues of two upstreams apart', async () => {
    const ran: string[] = []
    site.startWorker(
      ({ upstreams }) => {
        ran.push(upstreams[0])
        return Promise.resolve(COPIED)
      },
      {},
      'lab',
    )
    const told = await site.queues.enqueue([request(), request({ upstreams: ['lab'] })])

    await eventually(() => ran.length === 1)
    expect(told.map(({ duplicate }) => duplicate)).toEqual([false, false])
    expect(told[1]?.jobId).toMatch(/^lab-/)
    expect(await site.jobs('waiting')).toHaveLength(1)
  })

  it('says within seconds that Redis is away, and works again after its return', async () => {
    await site.redis.stop()
    await expect(site.queues.enqueue([request()])).rejects.toThrow(QueueUnavailableError)

    await site.redis.start()
    const [told] = await eventually(() => site.queues.enqueue([request()]))
    expect(told?.duplicate).toBe(false)
  })

  it('says within seconds that Redis hangs', async () => {
    site.redis.pause()
    await expect(site.queues.enqueue([request()])).rejects.toThrow(QueueUnavailableError)
    site.redis.resume()
  })
})
