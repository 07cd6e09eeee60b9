import { afterEach, beforeEach, expect, it } from 'vitest'
import type { JobsConfig } from '../../../src/config/config.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import type { ReplicationRequest, Trigger } from '../../../src/replication/request.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { eventually } from '../../support/eventually.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const KEPT = { ageMs: 60_000, count: 1_000 }
const JOBS: JobsConfig = {
  ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
  ...{ keepCompleted: KEPT, keepFailed: KEPT },
}
const BACKGROUND = 40

let redis: TestRedis
let queues: ReplicationQueues

beforeEach(async () => {
  redis = await startRedis()
  const onError = () => undefined
  queues = new ReplicationQueues({
    url: redis.url,
    upstreams: ['hq'],
    jobs: JOBS,
    misses: MISS_LIMITS,
    onError,
  })
  await eventually(() => queues.ping().then(() => true))
})

afterEach(async () => {
  await queues[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
})

function request(trigger: Trigger, number: number): ReplicationRequest {
  return replicationRequest({ reference: `${trigger}-${number}`, trigger })
}

function numbered(count: number): readonly number[] {
  return Array.from({ length: count }, (_, number) => number)
}

/** Two background jobs at once; each runs until it is let go. */
function startWorker() {
  const connection = openWorkerConnection(redis.url, () => undefined)
  const nothing = () => undefined
  const running: string[] = []
  const ended: string[] = []
  let most = 0
  let letGo: () => void = nothing
  const free = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const worker = new JobWorker({
    upstream: 'hq',
    queue: queues.of('hq'),
    connection,
    concurrency: 2,
    jobs: () => JOBS,
    misses: () => MISS_LIMITS,
    backgroundWait: () => Promise.resolve(undefined),
    async replicate({ trigger, reference }) {
      running.push(reference)
      most = Math.max(most, running.filter((each) => each.startsWith('push')).length)
      if (trigger === 'push') await free
      running.splice(running.indexOf(reference), 1)
      ended.push(reference)
      return { kind: 'refused', reason: 'nothing to do' }
    },
    lookAgain: () => Promise.resolve(),
    breakers: new Breakers(connection, () => OUTAGES),
    suspects: new Suspects(),
    listener: SILENT,
  })
  return {
    ended,
    letGo,
    most: () => most,
    running,
    async [Symbol.asyncDispose]() {
      letGo()
      await worker[Symbol.asyncDispose]()
      connection.disconnect()
    },
  }
}

it('a miss does not wait behind background jobs, however many there are', async () => {
  await using worker = startWorker()
  await queues.enqueue(numbered(BACKGROUND).map((number) => request('push', number)))
  await eventually(
    async () => worker.running.length === 2 && (await queues.of('hq').getActiveCount()) === 10,
  )

  await queues.enqueue(numbered(3).map((number) => request('miss', number)))
  await queues.enqueue([request('manual', 1)])

  await eventually(() => worker.ended.length === 4)
  expect(worker.ended.toSorted()).toEqual(['manual-1', 'miss-0', 'miss-1', 'miss-2'])

  worker.letGo()
  await eventually(() => worker.ended.length === BACKGROUND + 4)
  expect(worker.most()).toBe(2)
  expect(await queues.of('hq').getFailedCount()).toBe(0)
})
