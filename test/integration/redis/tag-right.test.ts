import { afterEach, beforeEach, expect, it } from 'vitest'
import type { JobsConfig } from '../../../src/config/config.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { listJobs } from '../../../src/queue/records/job-records.ts'
import { retryJob } from '../../../src/queue/records/job-actions.ts'
import type { Replicate } from '../../../src/queue/work/job.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'
import { eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { replicationRequest as request } from '../../support/given/replication-request.ts'
import { SILENT } from '../../support/given/silent-listener.ts'

const KEPT = { ageMs: 60_000, count: 100 }
const JOBS: JobsConfig = {
  ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
  ...{ keepCompleted: KEPT, keepFailed: KEPT },
}
const ENDED = { kind: 'refused', reason: 'nothing to do' } as const

let redis: TestRedis
let queues: ReplicationQueues
const opened: (() => unknown)[] = []

beforeEach(async () => {
  redis = await startRedis()
  const options = { url: redis.url, upstreams: ['hq', 'lab'], jobs: JOBS, misses: MISS_LIMITS }
  queues = new ReplicationQueues({ ...options, onError: () => undefined })
  await eventually(() => queues.ping().then(() => true))
})

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  await queues[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
})

function startWorker(upstream: string, replicate: Replicate) {
  const again: ReplicationRequest[] = []
  const connection = openWorkerConnection(redis.url, () => undefined)
  const worker = new JobWorker({
    ...{ upstream, queue: queues.of(upstream), connection, concurrency: 4 },
    ...{ jobs: () => JOBS, misses: () => MISS_LIMITS },
    backgroundWait: () => Promise.resolve(undefined),
    replicate,
    breakers: new Breakers(connection, () => OUTAGES),
    suspects: new Suspects(),
    lookAgain: (each) => {
      again.push(each)
      return Promise.resolve()
    },
    listener: SILENT,
  })
  opened.push(async () => {
    await worker[Symbol.asyncDispose]()
    connection.disconnect()
  })
  return { again }
}

/** Runs until it is let go, and knows how many did at once. */
function gated() {
  const waiting: (() => void)[] = []
  let most = 0
  let ran = 0
  const replicate: Replicate = async () => {
    ran += 1
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      most = Math.max(most, waiting.length)
    })
    return ENDED
  }
  return { replicate, most: () => most, ran: () => ran, waiting, letGo: () => waiting.shift()?.() }
}

async function count(state: 'completed' | 'delayed' | 'failed') {
  return (await listJobs(queues, { states: [state], matches: () => true, limit: 100 })).length
}

it('two jobs for one tag do not run side by side, whatever queue they are in', async () => {
  const jobs = gated()
  // The first waits further back than a miss may, so that the miss is a job of its own.
  await queues.enqueue([request({ trigger: 'push' })])
  await queues.enqueue([request(), request({ upstreams: ['lab'] })])
  startWorker('hq', jobs.replicate)
  startWorker('lab', jobs.replicate)

  for (const ended of [1, 2, 3]) {
    await eventually(() => jobs.ran() === ended)
    // Those that came too early have been put back.
    await eventually(async () => (await count('delayed')) === 3 - ended)
    jobs.letGo()
    await eventually(async () => (await count('completed')) === ended)
  }

  expect(jobs.most()).toBe(1)
})

it('a failed job that is run again waits for the newer one', async () => {
  let healthy = false
  const jobs = gated()
  startWorker('hq', (each, context) =>
    healthy
      ? jobs.replicate(each, context)
      : Promise.reject(new ReplicationError('no', { disposition: 'permanent' })),
  )
  const [old] = await queues.enqueue([request({ trigger: 'manual' })])
  await eventually(async () => (await count('failed')) === 1)
  healthy = true
  await queues.enqueue([request({ trigger: 'manual' })])
  await eventually(() => jobs.ran() === 1)

  await retryJob(queues, old?.jobId ?? '')

  await eventually(async () => (await count('delayed')) === 1)
  jobs.letGo()
  await eventually(() => jobs.ran() === 2)
  jobs.letGo()
  await eventually(async () => (await count('completed')) === 2)
  expect(jobs.most()).toBe(1)
})

it('who has lost its lock may not write, and looks again when it may have written', async () => {
  const confirmed: unknown[] = []
  let steal: () => Promise<unknown> = () => Promise.resolve()
  const { again } = startWorker('hq', async (each, { id, confirmRight }) => {
    if (each.reference === 'late') await confirmRight()
    // What Redis does when the lock lapses, and the next worker then.
    await queues.redis.del(queues.of('hq').toKey(`${id}:lock`))
    await queues.redis.del(`pullsync:writer:${each.repository}:${each.reference}`)
    await steal()
    confirmed.push(await confirmRight().catch((error: unknown) => (error as Error).name))
    return ENDED
  })

  await queues.enqueue([request({ reference: 'early' })])
  await eventually(() => confirmed.length === 1)
  expect(again).toEqual([])
  steal = () => Promise.resolve()
  await queues.enqueue([request({ reference: 'late' })])

  await eventually(() => again.length === 1)
  expect(again[0]?.reference).toBe('late')
  expect(confirmed).toEqual(['LostRightError', 'LostRightError'])
})

it('blobs and manifests under their digest need no right', async () => {
  const jobs = gated()
  const reference = `sha256:${'a'.repeat(64)}`
  await queues.enqueue([request({ reference }), request({ reference, upstreams: ['lab'] })])
  startWorker('hq', jobs.replicate)
  startWorker('lab', jobs.replicate)

  await eventually(() => jobs.waiting.length === 2)
  jobs.letGo()
  jobs.letGo()
  await eventually(async () => (await count('completed')) === 2)
})
