import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobsConfig } from '../../../src/config/config.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import { parseImageName } from '../../../src/oci/reference.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { waitUntilReady } from '../../../src/pool/ready.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { findJob, type JobState } from '../../../src/queue/records/job-records.ts'
import type { Replicate } from '../../../src/queue/work/job.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import type { Progress } from '../../../src/replication/progress.ts'
import { ENOUGH_MS, eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { type CliOptions, type CliResult, runCli } from '../../support/process/run-cli.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

const JOBS: JobsConfig = {
  attempts: 3,
  backoffMs: 3_600_000,
  maxBackoffMs: 3_600_000,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

export const COPIED: Outcome = {
  kind: 'copied',
  upstream: 'hq',
  digest: `sha256:${'0'.repeat(64)}` as Digest,
  manifests: 3,
  blobs: { copied: 4, skipped: 1, mounted: 2, nonDistributable: 0 },
  bytes: 12_897_485,
}

export const UNDER_WAY: Progress = {
  ...{ bytes: 2 ** 20, totalBytes: 2 ** 22, blobs: 1, totalBlobs: 3 },
  underWay: [
    { digest: `sha256:${'1'.repeat(64)}` as Digest, bytes: 2 ** 19, size: 2 ** 20 },
    { digest: `sha256:${'2'.repeat(64)}` as Digest, bytes: 0, size: 2 ** 21 },
  ],
}

export const REASON = `push of manifest team/broken:1.0 to the local registry failed: PUT http://127.0.0.1:5000/v2/team/broken/manifests/1.0 was answered 403 DENIED. ${'Check the account. '.repeat(10)}\u001b[31m`

interface Filled {
  readonly done: string
  readonly missing: string
  readonly broken: string
  readonly flaky: string
  readonly slow: string
  readonly waiting: string
}

/** What the command line works on: a configuration in a folder, a Redis, and, once started, a worker. */
export interface CliSite extends AsyncDisposable {
  readonly redis: TestRedis
  readonly folder: TempFolder
  readonly queues: ReplicationQueues
  configure(lines: string): Promise<void>
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>
  json(...args: readonly string[]): Promise<unknown>
  add(name: string, upstream?: string): Promise<string>
  startWorker(): void
  /** Lets the job of team/held end. */
  release(): void
  reaches(id: string, state: JobState): Promise<void>
  /** One job in every state. */
  fill(): Promise<Filled>
}

export async function cliSite(): Promise<CliSite> {
  const folder = await tempFolder('cli')
  const redis = await startRedis({ appendOnly: false })
  const queues = new ReplicationQueues({
    url: redis.url,
    upstreams: ['hq', 'lab'],
    jobs: JOBS,
    misses: MISS_LIMITS,
    onError: () => undefined,
  })
  await waitUntilReady(queues.redis, AbortSignal.timeout(ENOUGH_MS))
  const site = new Site(folder, redis, queues)
  await site.configure(`redis: { url: ${redis.url} }`)
  return site
}

/** The line of a table that begins with it. */
export function rowOf(stdout: string, id: string): string {
  return stdout.split('\n').find((line) => line.startsWith(id)) ?? ''
}

class Site implements CliSite {
  readonly folder: TempFolder
  readonly redis: TestRedis
  readonly queues: ReplicationQueues
  readonly #opened: AsyncDisposable[] = []
  #release: () => void = () => undefined

  constructor(folder: TempFolder, redis: TestRedis, queues: ReplicationQueues) {
    this.folder = folder
    this.redis = redis
    this.queues = queues
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#opened.reverse()) await part[Symbol.asyncDispose]()
    await this.queues[Symbol.asyncDispose]()
    await this.redis[Symbol.asyncDispose]()
    await this.folder[Symbol.asyncDispose]()
  }

  async configure(lines: string): Promise<void> {
    await writeFile(
      join(this.folder.path, 'pullsync.yaml'),
      `${lines}
local: { url: http://127.0.0.1:5000 }
jobs: { attempts: 3 }
upstreams:
  hq: { url: http://127.0.0.1:5001 }
  lab: { url: http://127.0.0.1:5002 }
projects:
  - { name: team, upstream: hq, tags: { exclude: ['*-rc*'] } }
  - { name: lab, upstream: lab, autoSync: false }
`,
    )
  }

  async cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const env = { PULLSYNC_CONFIG: join(this.folder.path, 'pullsync.yaml'), ...options.env }
    return await runCli(args, { ...options, env })
  }

  async json(...args: readonly string[]): Promise<unknown> {
    const { stdout } = await this.cli([...args, '--json'])
    return JSON.parse(stdout)
  }

  async add(name: string, upstream = 'hq'): Promise<string> {
    const image = parseImageName(name)
    if (!image.ok) throw new Error(image.reason)
    const [queued] = await this.queues.enqueue([
      {
        ...image.value,
        upstreamRepository: image.value.repository,
        upstreams: [upstream],
        trigger: 'miss',
        onlyIfPresent: false,
        platforms: 'all',
        referrers: true,
        eventId: 'event-1',
      },
    ])
    return queued?.jobId ?? ''
  }

  startWorker(): void {
    const connection = openWorkerConnection(this.redis.url, () => undefined)
    const worker = new JobWorker({
      upstream: 'hq',
      queue: this.queues.of('hq'),
      connection,
      concurrency: 8,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate: this.#replicate,
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      suspects: new Suspects(),
      listener: SILENT,
    })
    this.#opened.push({
      [Symbol.asyncDispose]: async () => {
        worker.handBack()
        await worker[Symbol.asyncDispose]()
        connection.disconnect()
      },
    })
  }

  release(): void {
    this.#release()
  }

  async reaches(id: string, state: JobState): Promise<void> {
    await eventually(async () => (await findJob(this.queues, id))?.record.state === state, {
      describe: `job ${id} to be ${state}`,
    })
  }

  async fill(): Promise<Filled> {
    this.startWorker()
    const done = await this.add('team/app:1.0')
    const missing = await this.add('team/missing:1.0')
    const broken = await this.add('team/broken:1.0')
    const flaky = await this.add('team/flaky:1.0')
    const slow = await this.add('team/slow:1.0')
    const waiting = await this.add('lab/app:2.0', 'lab')
    await this.reaches(done, 'completed')
    await this.reaches(missing, 'completed')
    await this.reaches(broken, 'failed')
    await this.reaches(flaky, 'delayed')
    await eventually(async () => (await findJob(this.queues, slow))?.record.progress !== undefined)
    return { done, missing, broken, flaky, slow, waiting }
  }

  /** Copies nothing, but ends jobs as their repository's name says. */
  readonly #replicate: Replicate = async ({ repository }, { signal, progress, log }) => {
    log(`looked at ${repository}`)
    switch (repository) {
      case 'team/broken':
        throw new ReplicationError(REASON, { disposition: 'permanent' })
      case 'team/flaky':
        throw new ReplicationError('the upstream answered 503', { disposition: 'transient' })
      case 'team/missing':
        return { kind: 'not-found', upstreams: ['hq'] }
      case 'team/slow':
        progress(UNDER_WAY)
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('handed back'))
          })
        })
        break
      case 'team/held':
        progress(UNDER_WAY)
        await new Promise<void>((resolve) => {
          this.#release = resolve
        })
    }
    return COPIED
  }
}
