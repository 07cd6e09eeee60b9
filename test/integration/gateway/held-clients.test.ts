import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Announcements } from '../../../src/pool/announced/announcements.ts'
import { SharedHolds } from '../../../src/pool/gateways/shared-holds.ts'
import { rememberEnding } from '../../../src/queue/endings.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { JobEndings } from '../../../src/queue/job-endings.ts'
import { deduplicationId } from '../../../src/queue/stored-request.ts'
import type { Tag } from '../../../src/oci/reference.ts'
import { eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'

const UPSTREAMS = Array.from({ length: 10 }, (_, i) => `hq-${i}`)
const CLIENTS = 2_000
const JOBS = {
  ...{ attempts: 1, backoffMs: 20, maxBackoffMs: 100 },
  keepCompleted: { ageMs: 60_000, count: 10_000 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

describe('clients that are held', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let announcements: Announcements
  let endings: JobEndings

  beforeAll(async () => {
    redis = await startRedis()
    const onError = () => undefined
    queues = new ReplicationQueues({
      ...{ url: redis.url, upstreams: UPSTREAMS, jobs: JOBS, misses: MISS_LIMITS, onError },
    })
    await eventually(() => queues.ping().then(() => true))
    announcements = new Announcements(redis.url, onError)
    endings = new JobEndings(queues, announcements, new SharedHolds(queues.redis, onError))
  })

  afterAll(async () => {
    announcements[Symbol.dispose]()
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  it('cost Redis less than 500 commands a second, 2,000 of them with 10 upstreams', async () => {
    const requests = Array.from({ length: CLIENTS }, (_, i) =>
      replicationRequest({
        reference: `tag-${i}` as Tag,
        upstreams: [UPSTREAMS[i % UPSTREAMS.length] ?? ''],
      }),
    )
    const jobs = await queues.enqueue(requests)
    const gone = new AbortController()
    const held = jobs.map(({ jobId }) => endings.ended(jobId, gone.signal))
    // Each has looked a second time, and now waits to be told.
    await eventually(async () => (await calls(queues.redis, 'hgetall')) >= 2 * CLIENTS)

    const before = await calls(queues.redis)
    // Long enough for the look that each takes ten seconds after it came.
    const bound = AbortSignal.timeout(12_000)
    await expect(endings.ended(jobs[0]?.jobId ?? '', bound)).rejects.toThrow()
    expect((await calls(queues.redis)) - before).toBeLessThan(12 * 500)

    for (const [i, { jobId }] of jobs.entries()) {
      const request = requests[i]
      if (request === undefined) continue
      const job = { id: jobId, deduplicationId: deduplicationId(request) }
      const ending = i % 2 === 0 ? 'copied' : 'failed'
      await rememberEnding(queues.redis, queues.of(request.upstreams[0]), job, ending)
    }
    expect(await Promise.all(held)).toEqual(
      jobs.map((_, i) => ({ kind: i % 2 === 0 ? 'copied' : 'failed' })),
    )
  })

  it('learn of an end that nobody told them of, once Redis is back', async () => {
    const [job] = await queues.enqueue([replicationRequest({ upstreams: ['hq-0'] })])
    const jobId = job?.jobId ?? ''
    const before = await calls(queues.redis, 'hgetall')
    const held = endings.ended(jobId, AbortSignal.timeout(20_000))
    await eventually(async () => (await calls(queues.redis, 'hgetall')) >= before + 2)
    // Without a word to those who wait.
    await queues.of('hq-0').remove(jobId)

    await redis.stop()
    await redis.start()

    expect(await held).toEqual({ kind: 'gone' })
  })
})

/** How many commands Redis has run, of one name or of all. */
async function calls(redis: Redis, name = '[a-z|]+'): Promise<number> {
  const stats = await redis.info('commandstats')
  const found = stats.matchAll(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'gm'))
  return [...found].reduce((sum, [, count]) => sum + Number(count), 0)
}
