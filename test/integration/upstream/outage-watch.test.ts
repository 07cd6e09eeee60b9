import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LastSeen } from '../../../src/pool/outages/last-seen.ts'
import { OutageWatch } from '../../../src/queue/resync/outage-watch.ts'
import { RESYNC_QUEUE } from '../../../src/queue/resync/resync-schedule.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

let server: TestRedis
let redis: Redis
let queue: Queue

beforeEach(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
  await redis.ping()
  queue = new Queue(RESYNC_QUEUE, { connection: redis, prefix: 'pullsync' })
})

afterEach(async () => {
  await queue.close()
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

function watch(): OutageWatch {
  return new OutageWatch({
    connection: redis,
    lastSeen: new LastSeen(redis),
    projects: () => ['team', 'lab'],
    onError: (error) => {
      throw error
    },
  })
}

async function lastSeenAgo(ms: number): Promise<number> {
  const at = Date.now() - ms
  await redis.set('pullsync:serving', at)
  return at
}

it('an outage becomes one job for each project, however many processes come back', async () => {
  const since = await lastSeenAgo(120_000)

  const watches = [watch(), watch(), watch()]
  await eventually(
    async () =>
      (await redis.exists('pullsync:missed-since')) === 0 &&
      (await redis.get('pullsync:serving')) !== String(since),
  )
  for (const each of watches) await each[Symbol.asyncDispose]()

  const jobs = await queue.getJobs(['waiting', 'delayed'])
  expect(jobs.map(({ data }) => data as object)).toEqual(
    expect.arrayContaining([
      { project: 'team', since },
      { project: 'lab', since },
    ]),
  )
  expect(jobs).toHaveLength(2)
})

it('an outage is told until somebody has seen to it, and then no more', async () => {
  const since = await lastSeenAgo(90_000)
  const [one, another] = [new LastSeen(redis), new LastSeen(redis)]

  expect(await one.beat()).toBe(since)
  expect(await another.beat()).toBe(since)
  await one.caughtUp(since)

  expect(await another.beat()).toBeUndefined()
})

it.each([
  ['a moment', async () => await lastSeenAgo(30_000)],
  ['a Redis that knows of nothing before', () => Promise.resolve()],
])('after %s nothing is made up for', async (_, before) => {
  await before()

  await watch()[Symbol.asyncDispose]()

  expect(await queue.getJobs()).toEqual([])
  expect(await redis.exists('pullsync:serving')).toBe(1)
})
