import type { JobsConfig } from '../../../src/config/config.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { JOB_STATES, type JobState, listJobs } from '../../../src/queue/records/job-records.ts'
import type { JobListener, Replicate } from '../../../src/queue/work/job.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import { eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { SILENT } from '../../support/given/silent-listener.ts'

export const JOBS: JobsConfig = {
  attempts: 3,
  backoffMs: 20,
  maxBackoffMs: 100,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

export const COPIED: Outcome = {
  kind: 'copied',
  upstream: 'hq',
  digest: `sha256:${'0'.repeat(64)}` as Digest,
  manifests: 1,
  blobs: { copied: 1, skipped: 0, mounted: 0, nonDistributable: 0 },
  bytes: 1,
}

export async function queueSite(): Promise<QueueSite> {
  const redis = await startRedis()
  const queues = new ReplicationQueues({
    url: redis.url,
    upstreams: ['hq', 'lab'],
    jobs: JOBS,
    misses: MISS_LIMITS,
    onError: () => undefined,
  })
  await eventually(() => queues.ping().then(() => true))
  return new QueueSite(redis, queues)
}

/** The queues of two upstreams on a Redis of their own, and the workers that a test starts. */
export class QueueSite implements AsyncDisposable {
  readonly redis: TestRedis
  readonly queues: ReplicationQueues
  readonly #opened: AsyncDisposable[] = []

  constructor(redis: TestRedis, queues: ReplicationQueues) {
    this.redis = redis
    this.queues = queues
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#opened.reverse()) await part[Symbol.asyncDispose]()
    await this.queues[Symbol.asyncDispose]()
    await this.redis[Symbol.asyncDispose]()
  }

  startWorker(replicate: Replicate, changes: Partial<JobListener> = {}, upstream = 'hq') {
    const connection = openWorkerConnection(this.redis.url, () => undefined)
    const worker = new JobWorker({
      upstream,
      queue: this.queues.of(upstream),
      connection,
      concurrency: 4,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate,
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      suspects: new Suspects(),
      listener: { ...SILENT, ...changes },
    })
    this.#opened.push({
      [Symbol.asyncDispose]: async () => {
        await worker[Symbol.asyncDispose]()
        connection.disconnect()
      },
    })
    return worker
  }

  async jobs(...states: JobState[]) {
    return await listJobs(this.queues, {
      states: states.length > 0 ? states : JOB_STATES,
      matches: () => true,
      limit: 1_000,
    })
  }
}
