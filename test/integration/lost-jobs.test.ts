import { afterEach, beforeEach, expect, it } from 'vitest'
import { Breakers } from '../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../src/pool/connection.ts'
import { retryJob } from '../../src/queue/records/job-actions.ts'
import { findJob } from '../../src/queue/records/job-records.ts'
import { ReplicationQueues } from '../../src/queue/queues.ts'
import type { JobListener, Replicate } from '../../src/queue/work/job.ts'
import { JobWorker } from '../../src/queue/work/job-worker.ts'
import { unlessAborted } from '../../src/waiting/aborting.ts'
import { eventually } from '../support/eventually.ts'
import { MISS_LIMITS } from '../support/miss-limits.ts'
import { OUTAGES } from '../support/outages.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { replicationRequest as request } from '../support/replication-request.ts'
import { SILENT } from '../support/silent-listener.ts'

const JOBS = {
  ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
  ...{ keepCompleted: { ageMs: 60_000, count: 100 }, keepFailed: { ageMs: 60_000, count: 100 } },
}

let redis: TestRedis
let queues: ReplicationQueues
let stop: () => Promise<void>

beforeEach(async () => {
  redis = await startRedis()
  const onError = () => undefined
  const upstreams = ['hq']
  queues = new ReplicationQueues({
    url: redis.url,
    upstreams,
    jobs: JOBS,
    misses: MISS_LIMITS,
    onError,
  })
  stop = () => Promise.resolve()
  await eventually(() => queues.ping().then(() => true))
})

afterEach(async () => {
  await stop()
  await queues[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
})

function startWorker(replicate: Replicate, heard: Partial<JobListener> = {}): void {
  const connection = openWorkerConnection(redis.url, () => undefined)
  const worker = new JobWorker({
    ...{ upstream: 'hq', queue: queues.of('hq'), connection, concurrency: 4, replicate },
    jobs: () => JOBS,
    misses: () => MISS_LIMITS,
    backgroundWait: () => Promise.resolve(undefined),
    lookAgain: () => Promise.resolve(),
    breakers: new Breakers(connection, () => OUTAGES),
    listener: { ...SILENT, ...heard },
  })
  stop = async () => {
    await worker[Symbol.asyncDispose]()
    connection.disconnect()
  }
}

async function queued(): Promise<string> {
  const [told] = await queues.enqueue([request()])
  return told?.jobId ?? ''
}

async function stateOf(id: string) {
  return (await findJob(queues, id))?.record.state
}

it('a job that has lost its workers too often has failed, as others do, and runs again when somebody says so', async () => {
  const id = await queued()
  // As BullMQ leaves one that has killed six workers.
  await queues.redis.hset(queues.of('hq').toKey(id), {
    stc: 6,
    defa: 'job stalled more than allowable limit',
  })
  const failed: unknown[] = []
  startWorker(() => Promise.resolve({ kind: 'not-found', upstreams: ['hq'] }), {
    failed: ({ id: jobId, request: { reference } }, { error, retryInMs }) =>
      failed.push({ jobId, reference, reason: String(error), retryInMs }),
  })
  await eventually(async () => (await stateOf(id)) === 'failed')
  const reason = expect.stringMatching(/workers died/) as string
  await eventually(() => failed.length > 0, { within: 10_000 })
  expect(failed).toEqual([{ jobId: id, reference: '1.0', reason, retryInMs: undefined }])

  expect(await retryJob(queues, id)).toEqual({ id, done: true })

  await eventually(async () => ['completed', 'failed'].includes((await stateOf(id)) ?? ''))
  expect(await stateOf(id)).toBe('completed')
  expect(await queues.redis.hget(queues.of('hq').toKey(id), 'stc')).toBeNull()
})

it('what a worker loses because Redis did not hear from it does not count against the job', async () => {
  const id = await queued()
  const key = queues.of('hq').toKey(id)
  let runs = 0
  startWorker(async (_request, { signal }) => {
    runs += 1
    if (runs === 1) await unlessAborted(new Promise(() => undefined), signal)
    return { kind: 'not-found', upstreams: ['hq'] }
  })
  await eventually(() => runs === 1)

  await queues.redis.del(`${key}:lock`)

  await eventually(async () => (await stateOf(id)) === 'completed')
  expect(runs).toBe(2)
  expect(Number(await queues.redis.hget(key, 'stc'))).toBe(0)
})

it('a job is not run again by a worker that has not come to the end of its lost run', async () => {
  const id = await queued()
  let runs = 0
  let [running, most] = [0, 0]
  startWorker(async (_request, { signal }) => {
    runs += 1
    running += 1
    most = Math.max(most, running)
    if (runs === 1) {
      await unlessAborted(new Promise(() => undefined), signal).catch(() => undefined)
      // As when the registry hangs that is to cancel an upload.
      await eventually(async () => runs > 1 || (await stateOf(id)) === 'delayed')
    }
    running -= 1
    return { kind: 'not-found', upstreams: ['hq'] }
  })
  await eventually(() => runs === 1)

  await queues.redis.del(`${queues.of('hq').toKey(id)}:lock`)

  await eventually(async () => (await stateOf(id)) === 'completed')
  expect({ runs, most }).toEqual({ runs: 2, most: 1 })
})
