import { once } from 'node:events'
import { Queue } from 'bullmq'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ProjectConfig } from '../../../src/config/config.ts'
import type { Reference, Repository } from '../../../src/oci/reference.ts'
import { openProducerConnection, openWorkerConnection } from '../../../src/pool/connection.ts'
import { knownRepositories } from '../../../src/queue/resync/known-repositories.ts'
import { RESYNC_QUEUE, ResyncSchedule } from '../../../src/queue/resync/resync-schedule.ts'
import { ResyncWorker, type ResyncWorkerOptions } from '../../../src/queue/resync/resync-worker.ts'
import { noteChecked } from '../../../src/pool/tag-checks.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

let redis: TestRedis
const opened: AsyncDisposable[] = []

beforeEach(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
})

function connect() {
  const connection = openProducerConnection(redis.url, () => undefined)
  opened.push({
    [Symbol.asyncDispose]() {
      connection.disconnect()
      return Promise.resolve()
    },
  })
  return connection
}

function projects(resync?: string): readonly ProjectConfig[] {
  const project: Pick<ProjectConfig, 'name' | 'resync'> = {
    name: 'team',
    ...(resync && { resync }),
  }
  return [project as ProjectConfig]
}

function schedule(resync?: string): ResyncSchedule {
  const errors = () => undefined
  const made = new ResyncSchedule(connect(), projects(resync), errors)
  opened.push(made)
  return made
}

async function known() {
  const queue = new Queue(RESYNC_QUEUE, { connection: connect(), prefix: 'pullsync' })
  try {
    const schedulers = await queue.getJobSchedulers(0, -1)
    const waiting = await queue.getDelayedCount()
    return { schedules: schedulers.map(({ key, pattern }) => `${key} ${pattern ?? ''}`), waiting }
  } finally {
    await queue.close()
  }
}

async function becomes(schedules: readonly string[]) {
  await eventually(async () => (await known()).schedules.join() === schedules.join())
}

it('is one, however many processes say it, and follows the configuration', async () => {
  const first = schedule('0 3 * * *')
  schedule('0 3 * * *')
  await becomes(['team 0 3 * * *'])
  expect((await known()).waiting).toBe(1)

  first.configure(projects('30 4 * * *'))
  await becomes(['team 30 4 * * *'])
  expect((await known()).waiting).toBe(1)

  first.configure(projects())
  await becomes([])
  expect((await known()).waiting).toBe(0)
})

it('is made again in a Redis that was away, and has forgotten', async () => {
  await redis.kill9()
  schedule('0 3 * * *')

  await redis.start()

  await becomes(['team 0 3 * * *'])
})

it('is kept when a worker stops in the middle of a walk: another makes it', async () => {
  schedule('0 3 * * *')
  await becomes(['team 0 3 * * *'])
  const queue = new Queue(RESYNC_QUEUE, { connection: connect(), prefix: 'pullsync' })
  opened.push({ [Symbol.asyncDispose]: () => queue.close() })
  await queue.add('resync', { project: 'team' })
  const walks: string[] = []
  const startWorker = (walk: ResyncWorkerOptions['walk']) => {
    const connection = openWorkerConnection(redis.url, () => undefined)
    const worker = new ResyncWorker({
      connection,
      walk,
      catchUp: () => Promise.resolve(),
      onError: () => undefined,
    })
    opened.push({
      async [Symbol.asyncDispose]() {
        await worker[Symbol.asyncDispose]()
        connection.disconnect()
      },
    })
    return worker
  }
  const first = startWorker(async (project, _walkId, signal) => {
    walks.push(`begun ${project}`)
    await once(signal, 'abort')
    signal.throwIfAborted()
  })
  await eventually(() => walks.length === 1)

  await first[Symbol.asyncDispose]()
  startWorker((project) => {
    walks.push(`made ${project}`)
    return Promise.resolve()
  })

  await eventually(() => walks.length === 2)
  expect(walks).toEqual(['begun team', 'made team'])
  expect(await queue.getFailedCount()).toBe(0)
})

it('walks by what was looked up, where the registry lists nothing', async () => {
  const connection = connect()
  await eventually(() => connection.status === 'ready')
  for (const name of ['team/app:1.0', 'team/app:2.0', 'team/a/deep:latest']) {
    const [repository = '', reference = ''] = name.split(':')
    const named = { repository: repository as Repository, reference: reference as Reference }
    await noteChecked(connection, named, 0)
  }

  const found: string[] = []
  for await (const page of knownRepositories(connection)) found.push(...page)

  expect(found.toSorted()).toEqual(['team/a/deep', 'team/app'])
})
