import { afterEach, beforeEach, expect, it } from 'vitest'
import type { JobsConfig } from '../../../src/config/config.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { backgroundWait, PullAllowances, readAllowance } from '../../../src/pool/pull-allowance.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { eventually } from '../../support/eventually.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'

const KEPT = { ageMs: 60_000, count: 1_000 }
const JOBS: JobsConfig = {
  ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
  ...{ keepCompleted: KEPT, keepFailed: KEPT },
}
const FLOOR = 20
const nothing = () => undefined

let redis: TestRedis
let queues: ReplicationQueues
let allowances: PullAllowances

beforeEach(async () => {
  redis = await startRedis()
  const settings = { jobs: JOBS, misses: MISS_LIMITS, onError: nothing }
  queues = new ReplicationQueues({ url: redis.url, upstreams: ['hq', 'lab'], ...settings })
  await eventually(() => queues.ping().then(() => true))
  allowances = new PullAllowances(queues.redis, {
    pullAllowance: nothing,
    connectionError: nothing,
  })
})

afterEach(async () => {
  allowances[Symbol.dispose]()
  await queues[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
})

async function upstreamGives(remaining: number): Promise<void> {
  allowances.note('hq', { limit: 100, remaining, windowSeconds: 21_600 })
  await eventually(async () => (await readAllowance(queues.redis, 'hq'))?.remaining === remaining, {
    describe: `${remaining} pulls to be known`,
  })
}

/** Notes what it ran. */
function startWorker(lookEveryMs: number) {
  const connection = openWorkerConnection(redis.url, nothing)
  const ended: string[] = []
  const worker = new JobWorker({
    ...{ upstream: 'hq', queue: queues.of('hq'), connection, concurrency: 4 },
    ...{ jobs: () => JOBS, misses: () => MISS_LIMITS },
    backgroundWait: () =>
      backgroundWait(queues.redis, { upstream: 'hq', floor: () => FLOOR, lookEveryMs }),
    replicate({ trigger, reference }, { attempt }) {
      ended.push(`${trigger} ${reference} ${attempt}`)
      return Promise.resolve({ kind: 'refused', reason: 'nothing to do' })
    },
    lookAgain: () => Promise.resolve(),
    breakers: new Breakers(connection, () => OUTAGES),
    suspects: new Suspects(),
    listener: SILENT,
  })
  return {
    ended,
    async [Symbol.asyncDispose]() {
      await worker[Symbol.asyncDispose]()
      connection.disconnect()
    },
  }
}

it('with few pulls left, what only looks is put off, and misses, pushes and people are served', async () => {
  await upstreamGives(FLOOR - 1)
  await using worker = startWorker(60_000)

  await queues.enqueue([
    replicationRequest({ trigger: 'revalidate', reference: 'a' }),
    replicationRequest({ trigger: 'revalidate', reference: 'b' }),
    replicationRequest({ trigger: 'resync', reference: 'c' }),
  ])
  const counts = () => queues.of('hq').getJobCounts('delayed', 'prioritized', 'active', 'failed')
  await eventually(async () => (await counts())['delayed'] === 2 && worker.ended.length > 0)
  // One of them found out whether that is still so.
  expect(worker.ended).toHaveLength(1)

  const others = (['miss', 'manual', 'push'] as const).map((trigger) =>
    replicationRequest({ trigger, reference: trigger }),
  )
  // Its tag is one that a job was put off for.
  const sameTag = worker.ended[0]?.includes(' b ') === true ? 'a' : 'b'
  await queues.enqueue([...others, replicationRequest({ trigger: 'miss', reference: sameTag })])

  await eventually(() => worker.ended.length === 5)
  expect(worker.ended.slice(1).toSorted()).toEqual([
    `manual manual 1`,
    `miss ${sameTag} 1`,
    `miss miss 1`,
    `push push 1`,
  ])
  expect(await counts()).toMatchObject({ delayed: 2, failed: 0 })
})

it('what was put off runs when there are more again, without having lost an attempt', async () => {
  await upstreamGives(0)
  await using worker = startWorker(200)
  const requests = ['a', 'b', 'c', 'd'].map((reference) =>
    replicationRequest({ trigger: 'resync', reference }),
  )
  await queues.enqueue(requests)
  await eventually(async () => (await queues.of('hq').getDelayedCount()) > 0)

  await upstreamGives(FLOOR)

  await eventually(() => worker.ended.length === requests.length)
  expect(worker.ended.toSorted()).toEqual(requests.map(({ reference }) => `resync ${reference} 1`))
})

it('an upstream that does not count pulls, and a floor of 0, put nothing off', async () => {
  await upstreamGives(0)

  const wait = (upstream: string, floor: number) =>
    backgroundWait(queues.redis, { upstream, floor: () => floor })

  expect([await wait('lab', FLOOR), await wait('hq', 0)]).toEqual([undefined, undefined])
  expect(await wait('hq', FLOOR)).toBeUndefined()
  expect(await wait('hq', FLOOR)).toMatchObject({ remaining: 0, limit: 100 })
})

it('of many answers the last one counts, and few are written', async () => {
  for (let remaining = 100; remaining >= 7; remaining -= 1) {
    allowances.note('hq', { limit: 100, remaining })
  }

  await eventually(async () => (await readAllowance(queues.redis, 'hq'))?.remaining === 7)
  const stats = await queues.redis.info('commandstats')
  expect(/cmdstat_set:calls=(\d+)/.exec(stats)?.[1]).toBe('2')
})
