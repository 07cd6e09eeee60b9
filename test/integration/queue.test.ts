import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JobsConfig } from '../../src/config/config.ts'
import { Breakers } from '../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../src/pool/connection.ts'
import { QueueUnavailableError } from '../../src/pool/redis-errors.ts'
import { retryJob } from '../../src/queue/records/job-actions.ts'
import {
  findJob,
  JOB_STATES,
  type JobState,
  listJobs,
} from '../../src/queue/records/job-records.ts'
import type { JobListener, Replicate } from '../../src/queue/work/job.ts'
import { JobWorker } from '../../src/queue/work/job-worker.ts'
import { ReplicationQueues } from '../../src/queue/queues.ts'
import { readCounts, readStatus } from '../../src/queue/records/upstream-status.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { RegistryError } from '../../src/registry/errors/registry-error.ts'
import { ReplicationError } from '../../src/replication/errors.ts'
import type { Outcome } from '../../src/replication/outcome.ts'
import { MISS_LIMITS } from '../support/miss-limits.ts'
import { eventually } from '../support/eventually.ts'
import { replicationRequest as request } from '../support/replication-request.ts'
import { SILENT } from '../support/silent-listener.ts'
import { OUTAGES } from '../support/outages.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const JOBS: JobsConfig = {
  attempts: 3,
  backoffMs: 20,
  maxBackoffMs: 100,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

const copied: Outcome = {
  kind: 'copied',
  upstream: 'hq',
  digest: `sha256:${'0'.repeat(64)}` as Digest,
  manifests: 1,
  blobs: { copied: 1, skipped: 0, mounted: 0, nonDistributable: 0 },
  bytes: 1,
}

describe('the queue', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  const opened: AsyncDisposable[] = []

  beforeEach(async () => {
    redis = await startRedis()
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq', 'lab'],
      jobs: JOBS,
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await eventually(() => queues.ping().then(() => true))
  })

  afterEach(async () => {
    for (const part of opened.splice(0).reverse()) await part[Symbol.asyncDispose]()
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  function startWorker(replicate: Replicate, changes: Partial<JobListener> = {}, upstream = 'hq') {
    const connection = openWorkerConnection(redis.url, () => undefined)
    const worker = new JobWorker({
      upstream,
      queue: queues.of(upstream),
      connection,
      concurrency: 4,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate,
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      listener: { ...SILENT, ...changes },
    })
    opened.push({
      [Symbol.asyncDispose]: async () => {
        await worker[Symbol.asyncDispose]()
        connection.disconnect()
      },
    })
    return worker
  }

  async function jobs(...states: JobState[]) {
    return await listJobs(queues, {
      states: states.length > 0 ? states : JOB_STATES,
      matches: () => true,
      limit: 1_000,
    })
  }

  it('makes one job of the same miss, however often it is told', async () => {
    const told = await Promise.all(Array.from({ length: 500 }, () => queues.enqueue([request()])))

    expect(told.flat().filter(({ duplicate }) => !duplicate)).toHaveLength(1)
    expect(await jobs()).toHaveLength(1)
  })

  it('answers a repeated miss by how the last one ended, while it is fresh', async () => {
    let runs = 0
    startWorker(async () => {
      runs += 1
      await Promise.resolve()
      return { kind: 'not-found', upstreams: ['hq'] }
    })
    const [first] = await queues.enqueue([request()])
    await eventually(async () => (await jobs('completed')).length === 1)

    const [second] = await queues.enqueue([request()])

    expect(second).toEqual({ jobId: first?.jobId, duplicate: true })
    expect(runs).toBe(1)
  })

  it("keeps of BullMQ's events only the last, however much progress is told", async () => {
    const [told] = await queues.enqueue([request()])
    const found = await findJob(queues, told?.jobId ?? '')

    for (let batch = 0; batch < 30; batch += 1) {
      await Promise.all(Array.from({ length: 100 }, async (_, n) => found?.job.updateProgress(n)))
    }

    // Redis trims whole nodes of a stream, of a hundred events.
    expect(await queues.redis.xlen('pullsync:hq:events')).toBeLessThanOrEqual(1_100)
  })

  it('does not hold an ending against a push, a person or a resync', async () => {
    startWorker(() => Promise.resolve(copied))
    for (const trigger of ['miss', 'push', 'manual'] as const) {
      const [told] = await queues.enqueue([request({ trigger })])
      expect(told?.duplicate).toBe(false)
      await eventually(async () => (await findJob(queues, told?.jobId ?? ''))?.record.finishedAt)
    }
    expect(await jobs('completed')).toHaveLength(3)

    // Of the thousands of a walk, those that end well leave no record.
    const [told] = await queues.enqueue([request({ trigger: 'resync' })])
    expect(told?.duplicate).toBe(false)
    await eventually(async () => (await findJob(queues, told?.jobId ?? '')) === undefined)
    expect(await jobs('completed')).toHaveLength(3)
  })

  it('runs once more what a push asked for during an active copy, and a miss not', async () => {
    const gates: (() => void)[] = []
    startWorker(
      () =>
        new Promise((resolve) => {
          gates.push(() => {
            resolve(copied)
          })
        }),
    )
    await queues.enqueue([request()])
    await eventually(() => gates.length === 1)
    await queues.enqueue([request(), request()])
    const pushes = await Promise.all(
      Array.from({ length: 5 }, () => queues.enqueue([request({ trigger: 'push' })])),
    )
    expect(pushes.flat().every(({ duplicate }) => duplicate)).toBe(true)

    gates[0]?.()
    await eventually(() => gates.length === 2)
    gates[1]?.()
    await eventually(async () => (await jobs('completed')).length === 2)

    const triggers = (await jobs('completed')).map((job) => job.request?.trigger)
    expect(triggers.toSorted()).toEqual(['miss', 'push'])
    expect(await jobs('active', 'waiting', 'delayed')).toEqual([])
  })

  it('runs what a push asks for when the job that it meets ends in that moment', async () => {
    let letGo = (): void => undefined
    let ran = 0
    startWorker(async () => {
      ran += 1
      if (ran === 1) await new Promise<void>((resolve) => (letGo = resolve))
      return copied
    })
    await queues.enqueue([request()])
    await eventually(() => ran === 1)
    const queue = queues.of('hq')
    const add = queue.addBulk.bind(queue)
    queue.addBulk = async (jobs) => {
      queue.addBulk = add
      letGo()
      await eventually(async () => (await queue.getCompletedCount()) === 1)
      return await add(jobs)
    }

    const [pushed] = await queues.enqueue([request({ trigger: 'push' })])

    expect(pushed?.duplicate).toBe(false)
    await eventually(() => ran === 2)
  })

  it('does not let a miss that waits swallow a push: it looks upstream only when nothing is here', async () => {
    const [missed] = await queues.enqueue([request()])
    const [pushed, again] = [
      ...(await queues.enqueue([request({ trigger: 'push' })])),
      ...(await queues.enqueue([request({ trigger: 'push' })])),
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
    await queues.enqueue([refresh])
    const [waiting] = await queues.enqueue([request()])
    expect(waiting?.duplicate).toBe(false)
    startWorker(({ onlyIfPresent }) => Promise.resolve(onlyIfPresent ? notHeld : copied))
    await eventually(async () => (await jobs('completed')).length === 2)

    const other = { reference: '2.0' }
    await queues.enqueue([request({ ...refresh, ...other })])
    await eventually(async () => (await jobs('completed')).length === 3)
    const [ended] = await queues.enqueue([request(other)])
    expect(ended?.duplicate).toBe(false)
  })

  it('counts an image that is refused among the failures of its upstream', async () => {
    const refused: Outcome = { kind: 'refused', reason: 'it is of schema 1', failure: true }
    startWorker(() => Promise.resolve(refused))
    await queues.enqueue([request()])
    await eventually(async () => (await jobs('completed')).length === 1)
    const status = async () => (await readStatus(queues)).find(({ upstream }) => upstream === 'hq')

    expect((await status())?.health.lastFailure).toBe('refused: it is of schema 1')
    // As of the minute before this one: only full minutes are counted.
    const [key = ''] = await queues.redis.keys('pullsync:refused:hq:*')
    const minute = Number(key.split(':').at(-1))
    await queues.redis.rename(key, `pullsync:refused:hq:${minute - 1}`)
    expect((await status())?.recent.failed).toBe(1)
  })

  it('does not let a miss wait where the same work waits further back', async () => {
    const [resync] = await queues.enqueue([request({ trigger: 'resync' })])
    const [miss] = await queues.enqueue([request()])
    const [again] = await queues.enqueue([request()])

    expect(miss?.duplicate).toBe(false)
    expect(again).toEqual({ jobId: miss?.jobId, duplicate: true })
    expect(resync?.jobId).not.toBe(miss?.jobId)
  })

  it('takes misses before pushes before resyncs', async () => {
    await queues.enqueue([
      request({ trigger: 'resync', reference: 'c' }),
      request({ trigger: 'push', reference: 'b' }),
      request({ trigger: 'miss', reference: 'a' }),
    ])
    const order: string[] = []
    const connection = openWorkerConnection(redis.url, () => undefined)
    await using worker = new JobWorker({
      upstream: 'hq',
      queue: queues.of('hq'),
      connection,
      concurrency: 1,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate: ({ trigger }) => {
        order.push(trigger)
        return Promise.resolve(copied)
      },
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      listener: SILENT,
    })
    await eventually(() => order.length === 3)
    await worker[Symbol.asyncDispose]()
    connection.disconnect()

    expect(order).toEqual(['miss', 'push', 'resync'])
  })

  it('tries a transient failure as often as configured and keeps the reason', async () => {
    const attempts: number[] = []
    startWorker((_, { attempt }) => {
      attempts.push(attempt)
      return Promise.reject(new ReplicationError('hq said 503', { disposition: 'transient' }))
    })
    await queues.enqueue([request()])

    const [failed] = await eventually(async () => {
      const found = await jobs('failed')
      return found.length > 0 && found
    })

    expect(attempts).toEqual([1, 2, 3])
    expect(failed?.failedReason).toBe('hq said 503')
  })

  it('fails a permanent error at once', async () => {
    const attempts: number[] = []
    startWorker((_, { attempt }) => {
      attempts.push(attempt)
      return Promise.reject(new ReplicationError('wrong password', { disposition: 'permanent' }))
    })
    await queues.enqueue([request()])

    await eventually(async () => (await jobs('failed')).length === 1)

    expect(attempts).toEqual([1])
  })

  it('runs a failed job again with all its attempts, and holds misses off meanwhile', async () => {
    let healthy = false
    const worker = startWorker(() =>
      healthy
        ? Promise.resolve(copied)
        : Promise.reject(new ReplicationError('down', { disposition: 'permanent' })),
    )
    const [told] = await queues.enqueue([request()])
    const id = told?.jobId ?? ''
    await eventually(async () => (await jobs('failed')).length === 1)
    healthy = true

    expect(await retryJob(queues, id)).toEqual({ id, done: true })
    await eventually(async () => (await findJob(queues, id))?.record.outcome?.kind === 'copied')

    expect(await retryJob(queues, id)).toMatchObject({ done: false })
    expect(await retryJob(queues, 'hq-000000000000')).toMatchObject({ done: false })
    expect(worker).toBeDefined()
  })

  it('runs a job now that was parked for a long while', async () => {
    let room = false
    const worker = startWorker(() =>
      room
        ? Promise.resolve(copied)
        : Promise.reject(
            new RegistryError('the disk is full', {
              ...{ disposition: 'parked', status: 507, registry: 'local', side: 'local' },
            }),
          ),
    )
    const [told] = await queues.enqueue([request()])
    const id = told?.jobId ?? ''
    await eventually(async () => (await jobs('delayed')).length === 1)
    room = true

    expect(await retryJob(queues, id)).toEqual({ id, done: true })
    await eventually(async () => (await findJob(queues, id))?.record.outcome?.kind === 'copied')
    expect(worker).toBeDefined()
  })

  it('keeps every job of an upstream waiting as long as the upstream asked for', async () => {
    const ran: string[] = []
    const held: number[] = []
    const ranAt: number[] = []
    startWorker(
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
          : Promise.resolve(copied)
      },
      { held: (_, { forMs }) => held.push(forMs) },
    )
    await queues.enqueue([request({ reference: 'first' })])
    await eventually(() => held.length === 1)

    await queues.enqueue([request({ reference: 'second' })])
    await eventually(() => ran.includes('second'))

    const [refusedAt = 0, nextAt = 0] = ranAt
    expect(nextAt - refusedAt).toBeGreaterThanOrEqual(690)
    await eventually(async () => (await jobs('completed')).length === 2)
  })

  it('hands a running job back when the worker stops, and another worker finishes it', async () => {
    const handedBack: string[] = []
    let running = false
    const first = startWorker(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
          running = true
        }),
      { handedBack: ({ id }) => handedBack.push(id) },
    )
    await queues.enqueue([request()])
    await eventually(() => running)

    const closing = first[Symbol.asyncDispose]()
    first.handBack()
    await closing
    expect(handedBack).toHaveLength(1)
    expect(await readCounts(queues.of('hq'))).toMatchObject({ active: 0, failed: 0 })

    startWorker((_, { attempt }) => {
      expect(attempt).toBe(1)
      return Promise.resolve(copied)
    })
    await eventually(async () => (await jobs('completed')).length === 1)
  })

  it('refuses a payload that is no request, without trying it again', async () => {
    startWorker(() => Promise.resolve(copied))
    await queues.of('hq').add('miss', { repository: '../etc' }, { attempts: 3 })

    const [failed] = await eventually(async () => {
      const found = await jobs('failed')
      return found.length > 0 && found
    })

    expect(failed?.failedReason).toContain('payload')
    expect(failed?.attemptsMade).toBe(1)
  })

  async function addMisses(count: number) {
    const references = Array.from({ length: count }, (_, n) => `build-${n}`)
    await queues.enqueue(references.map((reference) => request({ reference })))
  }

  /** Of Redis' memory, for everything that has to do with waiting jobs. */
  async function bytesOfJobs() {
    const keys = await queues.redis.keys('pullsync:hq:*')
    const usages = await Promise.all(
      keys
        .filter((key) => !key.endsWith(':events'))
        .map((key) => queues.redis.memory('USAGE', key, 'SAMPLES', 0)),
    )
    return usages.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
  }

  it.each([
    ['as Redis is by default', undefined, 950],
    ['as the Redis of "up" is', '1024', 560],
  ])('takes few bytes of memory for a push that waits, %s', async (_, packedUpTo, atMost) => {
    if (packedUpTo !== undefined) {
      await queues.redis.config('SET', 'hash-max-ziplist-value', packedUpTo)
    }
    const pushes = Array.from({ length: 200 }, (_, n) =>
      request({
        ...{ trigger: 'push', reference: `build-${n}`, source: 'edge', referrers: true },
        announcedDigest: digestOf(Buffer.from(`${n}`)),
        eventId: randomUUID(),
      }),
    )

    await queues.enqueue(pushes)

    expect((await bytesOfJobs()) / 200).toBeLessThan(atMost)
  })

  it('forgets at once what a walk has brought, and keeps what somebody has asked for', async () => {
    startWorker(() => Promise.resolve(copied))
    await queues.enqueue([request({ trigger: 'resync' })])
    await queues.enqueue([request({ trigger: 'manual', reference: '2.0' })])

    await eventually(async () => (await readCounts(queues.of('hq'))).waiting === 0)
    await eventually(async () => (await readCounts(queues.of('hq'))).active === 0)

    expect((await jobs()).map((job) => job.request?.reference)).toEqual(['2.0'])
  })

  it('works off what an earlier version has left waiting', async () => {
    const { upstreamRepository: _, ...left } = request({ trigger: 'push', onlyIfPresent: true })
    const [id, opts] = ['hq-9f2c01d4a7be', { priority: 3, attempts: 2, stackTraceLimit: 0 }]
    const deduplication = { id: 'team/app:1.0', keepLastIfActive: true }
    await queues.of('hq').add('push', left, { ...opts, jobId: id, deduplication })

    const [again, , more] = await queues.enqueue([
      request({ trigger: 'push', onlyIfPresent: true }),
      request({ reference: '2.0' }),
      request({ trigger: 'push' }),
    ])
    const brought: unknown[] = []
    startWorker((asked) => {
      brought.push(asked)
      return Promise.resolve(copied)
    })
    await eventually(async () => (await jobs('completed')).length === 3)

    expect(again).toEqual({ jobId: id, duplicate: true })
    // The one that was left only refreshes.
    expect(more?.duplicate).toBe(false)
    expect(brought).toContainEqual(request({ trigger: 'push', onlyIfPresent: true }))
  })

  it('leaves a job of an earlier version in a form that such a one reads, too', async () => {
    const left = request({ trigger: 'miss', source: 'gateway', client: 'a' })
    await queues.of('hq').add('miss', left, { jobId: 'hq-left', attempts: 1 })
    startWorker(() => Promise.reject(new Error('upstream is away')))
    await eventually(async () => (await jobs('failed')).length === 1)

    const job = await queues.of('hq').getJob('hq-left')
    expect(job?.data).toEqual({ ...left, unpaid: true })
  })

  it('is asked as much for a status, and for the newest jobs, however many wait', async () => {
    const asked = async (ask: () => Promise<unknown>) => {
      const commands = async () =>
        Number(/total_commands_processed:(\d+)/.exec(await queues.redis.info('stats'))?.[1])
      const before = await commands()
      await ask()
      return (await commands()) - before
    }
    const status = () => readStatus(queues)
    const newest = () => listJobs(queues, { states: JOB_STATES, matches: () => true, limit: 5 })
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
    startWorker(
      ({ upstreams }) => {
        ran.push(upstreams[0])
        return Promise.resolve(copied)
      },
      {},
      'lab',
    )
    const told = await queues.enqueue([request(), request({ upstreams: ['lab'] })])

    await eventually(() => ran.length === 1)
    expect(told.map(({ duplicate }) => duplicate)).toEqual([false, false])
    expect(told[1]?.jobId).toMatch(/^lab-/)
    expect(await jobs('waiting')).toHaveLength(1)
  })

  it('says within seconds that Redis is away, and works again after its return', async () => {
    await redis.stop()
    await expect(queues.enqueue([request()])).rejects.toThrow(QueueUnavailableError)

    await redis.start()
    const [told] = await eventually(() => queues.enqueue([request()]))
    expect(told?.duplicate).toBe(false)
  })

  it('says within seconds that Redis hangs', async () => {
    redis.pause()
    await expect(queues.enqueue([request()])).rejects.toThrow(QueueUnavailableError)
    redis.resume()
  })
})
