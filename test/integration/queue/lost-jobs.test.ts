import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Repository } from '../../../src/oci/reference.ts'
import { retryJob } from '../../../src/queue/records/job-actions.ts'
import { findJob } from '../../../src/queue/records/job-records.ts'
import { unlessAborted } from '../../../src/waiting/aborting.ts'
import { eventually } from '../../support/eventually.ts'
import { replicationRequest as request } from '../../support/given/replication-request.ts'
import { COPIED, queueSite, type QueueSite } from './queue-site.ts'

let site: QueueSite

beforeEach(async () => {
  site = await queueSite()
})

afterEach(() => site[Symbol.asyncDispose]())

async function queued(): Promise<string> {
  const [told] = await site.queues.enqueue([request()])
  return told?.jobId ?? ''
}

async function stateOf(id: string) {
  return (await findJob(site.queues, id))?.record.state
}

it('a job that has lost its workers too often has failed, as others do, and runs again when somebody says so', async () => {
  const id = await queued()
  // As BullMQ leaves one that has killed six workers.
  await site.queues.redis.hset(site.queues.of('hq').toKey(id), {
    stc: 6,
    defa: 'job stalled more than allowable limit',
  })
  const failed: unknown[] = []
  site.startWorker(() => Promise.resolve({ kind: 'not-found', upstreams: ['hq'] }), {
    failed: ({ id: jobId, request: { reference } }, { error, retryInMs }) =>
      failed.push({ jobId, reference, reason: String(error), retryInMs }),
  })
  await eventually(async () => (await stateOf(id)) === 'failed')
  const reason = expect.stringMatching(/workers died/) as string
  await eventually(() => failed.length > 0, { within: 10_000 })
  expect(failed).toEqual([{ jobId: id, reference: '1.0', reason, retryInMs: undefined }])

  expect(await retryJob(site.queues, id)).toEqual({ id, done: true })

  await eventually(async () => ['completed', 'failed'].includes((await stateOf(id)) ?? ''))
  expect(await stateOf(id)).toBe('completed')
  expect(await site.queues.redis.hget(site.queues.of('hq').toKey(id), 'stc')).toBeNull()
})

it('what a worker loses because Redis did not hear from it does not count against the job', async () => {
  const id = await queued()
  const key = site.queues.of('hq').toKey(id)
  let runs = 0
  site.startWorker(async (_request, { signal }) => {
    runs += 1
    if (runs === 1) await unlessAborted(new Promise(() => undefined), signal)
    return { kind: 'not-found', upstreams: ['hq'] }
  })
  await eventually(() => runs === 1)

  await site.queues.redis.del(`${key}:lock`)

  await eventually(async () => (await stateOf(id)) === 'completed')
  expect(runs).toBe(2)
  expect(Number(await site.queues.redis.hget(key, 'stc'))).toBe(0)
})

it('a job is not run again by a worker that has not come to the end of its lost run', async () => {
  const id = await queued()
  let runs = 0
  let [running, most] = [0, 0]
  site.startWorker(async (_request, { signal }) => {
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

  await site.queues.redis.del(`${site.queues.of('hq').toKey(id)}:lock`)

  await eventually(async () => (await stateOf(id)) === 'completed')
  expect({ runs, most }).toEqual({ runs: 2, most: 1 })
})

it('jobs that may be what kills their workers run one at a time in a process, beside all others', async () => {
  const names = ['killer', 'victim', 'fresh', 'once lost']
  const told = await site.queues.enqueue(
    names.map((name) => request({ repository: `team/${name.replace(' ', '-')}` as Repository })),
  )
  for (const [at, lost] of [3, 5, 0, 1].entries()) {
    const key = site.queues.of('hq').toKey(told[at]?.jobId ?? '')
    await site.queues.redis.hset(key, { stc: lost })
  }
  const running = new Set<string>()
  let together = 0
  let beside = 0
  site.startWorker(async ({ repository }) => {
    running.add(repository)
    if (/killer|victim/.test(repository)) {
      await eventually(() => running.size === 3 || beside > 0)
      beside = Math.max(beside, running.size)
    } else await eventually(() => beside > 0)
    if (running.has('team/killer') && running.has('team/victim')) together += 1
    running.delete(repository)
    return COPIED
  })

  await eventually(async () => (await site.jobs('completed')).length === 4)

  expect({ together, beside }).toEqual({ together: 0, beside: 3 })
})
