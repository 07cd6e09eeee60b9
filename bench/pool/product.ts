import { setTimeout as pause } from 'node:timers/promises'
import { openQueues } from '../../src/cli/redis/open-queues.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { type JobRecord, listJobs } from '../../src/queue/records/job-records.ts'
import type { ReplicationQueues } from '../../src/queue/queues.ts'
import { type PullsyncProcess, startPullsync } from '../../test/support/process/pullsync-process.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { Started } from '../../test/support/process/started.ts'
import type { Contestant, Ends, Entry, Wanted } from '../copies/contestant.ts'
import { productConfig, type Serving } from './product-config.ts'
import { requestFor } from '../copies/request.ts'
import { cpuMsOf, peakMibOf, type Usage } from '../figures/usage.ts'

/** All of pullsync that copies: Redis, the queue, and workers as processes of their own. */
export interface Product extends Contestant {
  readonly queues: ReplicationQueues
  readonly workers: readonly PullsyncProcess[]
  /** Where it was asked for. */
  readonly serving?: PullsyncProcess
  /** The jobs that these images became, once each of them has ended well. */
  ended(jobs: readonly string[], within?: number): Promise<readonly JobRecord[]>
  enqueue(wanted: Wanted): Promise<readonly string[]>
}

/** From the moment a job is handed to the queue to the moment it has ended; the worker's usage. */
export const PRODUCT: Entry = {
  name: 'pullsync',
  remembers: true,
  enter: (pair) => startProduct(pair),
}

export interface ProductShape {
  /** 1 unless told. */
  readonly workers?: number
  /** With `pullsync serve` too. */
  readonly serving?: Serving
  /** All in one process, `pullsync up`. */
  readonly together?: boolean
  /** Of another build than this one. */
  readonly script?: string
}

export async function startProduct(ends: Ends, shape: ProductShape = {}): Promise<Product> {
  const started = new Started()
  try {
    const redis = await started.add(startRedis())
    const config = productConfig(ends, { ...shape, redisUrl: redis.url })
    const { workers, serving } = await startProcesses(started, config, shape)
    const read = await loadConfig((serving ?? workers[0])?.configFile ?? '', {})
    const queues = await started.add(openQueues(read, ''))
    return { ...product(queues, workers, started), ...(serving && { serving }) }
  } catch (error) {
    await started[Symbol.asyncDispose]()
    throw error
  }
}

const STARTED = /process started/

async function startProcesses(
  started: Started,
  config: string,
  { workers: wanted = 1, serving, together = false, script }: ProductShape,
) {
  const start = (command: string) =>
    started.add(
      startPullsync({ args: [command], config, readyLine: STARTED, ...(script && { script }) }),
    )
  const count = together ? 0 : wanted
  const workers = await Promise.all(Array.from({ length: count }, () => start('worker')))
  return { workers, serving: serving && (await start(together ? 'up' : 'serve')) }
}

function product(
  queues: ReplicationQueues,
  workers: readonly PullsyncProcess[],
  started: AsyncDisposable,
): Product {
  const enqueue = async ({ repository, tags, referrers }: Wanted) => {
    const queued = await queues.enqueue(tags.map((tag) => requestFor(repository, tag, referrers)))
    if (queued.some(({ duplicate }) => duplicate)) throw new Error('the queue took a duplicate')
    return queued.map(({ jobId }) => jobId)
  }
  const ended = (jobs: readonly string[], within?: number) => allEnded(queues, jobs, within)
  const copy = async (wanted: Wanted): Promise<Usage> => {
    const before = cpuOf(workers)
    const startedAt = Date.now()
    const records = await ended(await enqueue(wanted))
    const endedAt = Math.max(...records.map(({ finishedAt = Infinity }) => finishedAt))
    const peakMib = sum(workers.map(({ child }) => peakMibOf(child.pid) ?? 0))
    return { ms: endedAt - startedAt, cpuMs: cpuOf(workers) - before, peakMib }
  }
  const dispose = () => started[Symbol.asyncDispose]()
  return { queues, workers, enqueue, ended, copy, [Symbol.asyncDispose]: dispose }
}

const POLL_MS = 10

async function allEnded(
  queues: ReplicationQueues,
  jobs: readonly string[],
  within = 120_000,
): Promise<readonly JobRecord[]> {
  const deadline = performance.now() + within
  const wanted = new Set(jobs)
  for (;;) {
    const { completed = 0, failed = 0 } = await queues.of('hq').getJobCounts('completed', 'failed')
    const all = completed + failed >= jobs.length ? await endedJobs(queues) : []
    const records = all.filter(({ id }) => wanted.has(id))
    const bad = records.find(({ outcome }) => outcome === undefined || !isGood(outcome.kind))
    if (bad !== undefined) throw new Error(`job ${bad.id} ended badly: ${JSON.stringify(bad)}`)
    if (records.length === jobs.length) return records
    if (performance.now() > deadline) throw new Error(`the jobs did not end within ${within} ms`)
    await pause(POLL_MS)
  }
}

function endedJobs(queues: ReplicationQueues): Promise<readonly JobRecord[]> {
  return listJobs(queues, {
    states: ['completed', 'failed'],
    matches: () => true,
    limit: 10_000,
  })
}

function isGood(kind: string): boolean {
  return kind === 'copied' || kind === 'up-to-date' || kind === 'not-found'
}

function cpuOf(workers: readonly PullsyncProcess[]): number {
  return sum(workers.map(({ child }) => cpuMsOf(child.pid) ?? 0))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
