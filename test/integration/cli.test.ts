import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JobsConfig } from '../../src/config/config.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { parseImageName } from '../../src/oci/reference.ts'
import { Breakers } from '../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../src/pool/connection.ts'
import { findJob, type JobState } from '../../src/queue/records/job-records.ts'
import type { Replicate } from '../../src/queue/work/job.ts'
import { JobWorker } from '../../src/queue/work/job-worker.ts'
import { ReplicationQueues } from '../../src/queue/queues.ts'
import { waitUntilReady } from '../../src/pool/ready.ts'
import { ReplicationError } from '../../src/replication/errors.ts'
import type { Outcome } from '../../src/replication/outcome.ts'
import { MISS_LIMITS } from '../support/miss-limits.ts'
import type { Progress } from '../../src/replication/progress.ts'
import { startRegistry } from '../support/docker-registry.ts'
import { ENOUGH_MS, eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { SILENT } from '../support/silent-listener.ts'
import { OUTAGES } from '../support/outages.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type CliOptions, type CliResult, runCli } from '../support/run-cli.ts'
import { Screen } from '../support/screen.ts'
import { tempFolder, type TempFolder } from '../support/temp-folder.ts'

const JOBS: JobsConfig = {
  attempts: 3,
  backoffMs: 3_600_000,
  maxBackoffMs: 3_600_000,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

const COPIED: Outcome = {
  kind: 'copied',
  upstream: 'hq',
  digest: `sha256:${'0'.repeat(64)}` as Digest,
  manifests: 3,
  blobs: { copied: 4, skipped: 1, mounted: 2, nonDistributable: 0 },
  bytes: 12_897_485,
}

const UNDER_WAY: Progress = {
  ...{ bytes: 2 ** 20, totalBytes: 2 ** 22, blobs: 1, totalBlobs: 3 },
  underWay: [
    { digest: `sha256:${'1'.repeat(64)}` as Digest, bytes: 2 ** 19, size: 2 ** 20 },
    { digest: `sha256:${'2'.repeat(64)}` as Digest, bytes: 0, size: 2 ** 21 },
  ],
}

const REASON = `push of manifest team/broken:1.0 to the local registry failed: PUT http://127.0.0.1:5000/v2/team/broken/manifests/1.0 was answered 403 DENIED. ${'Check the account. '.repeat(10)}\u001b[31m`

describe('the command line', () => {
  let redis: TestRedis
  let folder: TempFolder
  let queues: ReplicationQueues
  const opened: AsyncDisposable[] = []
  /** Lets the job of team/held end. */
  let release: () => void = () => undefined

  beforeAll(async () => {
    folder = await tempFolder('cli')
  })

  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq', 'lab'],
      jobs: JOBS,
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await waitUntilReady(queues.redis, AbortSignal.timeout(ENOUGH_MS))
    await configure(`redis: { url: ${redis.url} }`)
  })

  afterEach(async () => {
    for (const part of opened.splice(0).reverse()) await part[Symbol.asyncDispose]()
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  async function configure(lines: string): Promise<void> {
    await writeFile(
      join(folder.path, 'pullsync.yaml'),
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

  async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const env = { PULLSYNC_CONFIG: join(folder.path, 'pullsync.yaml'), ...options.env }
    return await runCli(args, { ...options, env })
  }

  async function json(...args: readonly string[]): Promise<unknown> {
    const { stdout } = await cli([...args, '--json'])
    return JSON.parse(stdout)
  }

  async function add(name: string, upstream = 'hq'): Promise<string> {
    const image = parseImageName(name)
    if (!image.ok) throw new Error(image.reason)
    const [queued] = await queues.enqueue([
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

  /** Copies nothing, but ends jobs as their repository's name says. */
  const replicate: Replicate = async ({ repository }, { signal, progress, log }) => {
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
          release = resolve
        })
    }
    return COPIED
  }

  function startWorker(): void {
    const connection = openWorkerConnection(redis.url, () => undefined)
    const worker = new JobWorker({
      upstream: 'hq',
      queue: queues.of('hq'),
      connection,
      concurrency: 8,
      jobs: () => JOBS,
      misses: () => MISS_LIMITS,
      backgroundWait: () => Promise.resolve(undefined),
      replicate,
      lookAgain: () => Promise.resolve(),
      breakers: new Breakers(connection, () => OUTAGES),
      listener: SILENT,
    })
    opened.push({
      [Symbol.asyncDispose]: async () => {
        worker.handBack()
        await worker[Symbol.asyncDispose]()
        connection.disconnect()
      },
    })
  }

  async function reaches(id: string, state: JobState): Promise<void> {
    await eventually(async () => (await findJob(queues, id))?.record.state === state, {
      describe: `job ${id} to be ${state}`,
    })
  }

  interface Filled {
    readonly done: string
    readonly missing: string
    readonly broken: string
    readonly flaky: string
    readonly slow: string
    readonly waiting: string
  }

  /** One job in every state. */
  async function fill(): Promise<Filled> {
    startWorker()
    const done = await add('team/app:1.0')
    const missing = await add('team/missing:1.0')
    const broken = await add('team/broken:1.0')
    const flaky = await add('team/flaky:1.0')
    const slow = await add('team/slow:1.0')
    const waiting = await add('lab/app:2.0', 'lab')
    await reaches(done, 'completed')
    await reaches(missing, 'completed')
    await reaches(broken, 'failed')
    await reaches(flaky, 'delayed')
    await eventually(async () => (await findJob(queues, slow))?.record.progress !== undefined)
    return { done, missing, broken, flaky, slow, waiting }
  }

  function rowOf(stdout: string, id: string): string {
    return stdout.split('\n').find((line) => line.startsWith(id)) ?? ''
  }

  describe('jobs list', () => {
    it('shows jobs of every state with what is known about them', async () => {
      const ids = await fill()

      const { stdout, code } = await cli(['jobs', 'list'])

      expect(code).toBe(0)
      expect(stdout.split('\n')[0]).toMatch(
        /^ID +STATE +UPSTREAM +IMAGE +WHY +TRIES +PROGRESS\/OUTCOME +AGE$/,
      )
      expect(rowOf(stdout, ids.done)).toMatch(
        /completed +hq +team\/app:1\.0 +miss +1\/3 +copied 12\.3 MiB from hq +\d+s$/,
      )
      expect(rowOf(stdout, ids.missing)).toMatch(/completed .* not found on hq /)
      expect(rowOf(stdout, ids.flaky)).toMatch(/delayed .* 1\/3 +again in (\d+m|1h)/)
      expect(rowOf(stdout, ids.slow)).toMatch(
        /active .* 25%, 1\.0 MiB of 4\.0 MiB, 1 of 3 blobs +\d+s$/,
      )
      expect(rowOf(stdout, ids.waiting)).toMatch(/waiting +lab +lab\/app:2\.0 /)
    })

    it('says in full why a job failed, without the control characters of others', async () => {
      const { broken } = await fill()

      const { stdout } = await cli(['jobs', 'list', '--state', 'failed'])

      const [, row, reason] = stdout.split('\n')
      expect(row).toContain(broken)
      expect(reason).toBe(`    ${REASON.replace('\u001b', ' ')}`)
    })

    it('wraps the reason on a terminal', async () => {
      await fill()

      const { stdout } = await cli(['jobs', 'list', '--state', 'failed'], { columns: 100 })

      const reason = stdout.split('\n').filter((line) => line.startsWith('    '))
      expect(reason.length).toBeGreaterThan(2)
      expect(Math.max(...reason.map((line) => line.length))).toBeLessThanOrEqual(100)
      expect(reason.map((line) => line.trim()).join(' ')).toContain('answered 403 DENIED')
    })

    it.each([
      [
        ['--state', 'completed'],
        ['team/app:1.0', 'team/missing:1.0'],
      ],
      [['--upstream', 'lab'], ['lab/app:2.0']],
      [['--match', 'team/app:1.*'], ['team/app:1.0']],
      [['--match', 'team/*', '--state', 'failed'], ['team/broken:1.0']],
      [['--match', 'nothing/*'], []],
    ])('filters with %j', async (filter, images) => {
      await fill()

      const listed = await json('jobs', 'list', ...filter)

      expect(listed).toHaveLength(images.length)
      expect(listed).toEqual(
        expect.arrayContaining(images.map((image): unknown => expect.objectContaining({ image }))),
      )
    })

    it('says that there are more than the limit', async () => {
      await fill()

      const { stdout, stderr } = await cli(['jobs', 'list', '--limit', '2'])

      expect(
        stdout
          .trim()
          .split('\n')
          .filter((line) => !line.startsWith(' ')),
      ).toHaveLength(3)
      expect(stderr).toContain('only the newest 2 are shown')
    })

    it('gives scripts JSON and nothing else', async () => {
      const { broken } = await fill()

      const listed = await json('jobs', 'list', '--state', 'failed', '--limit', '1')

      expect(listed).toEqual([
        expect.objectContaining({
          id: broken,
          image: 'team/broken:1.0',
          trigger: 'miss',
          state: 'failed',
          failedReason: REASON,
          attemptsMade: 1,
          finishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown,
        }),
      ])
    })

    it('names the upstreams that there are when asked for another', async () => {
      const { code, stderr } = await cli(['jobs', 'list', '--upstream', 'hqq'])

      expect(code).toBe(1)
      expect(stderr).toBe(
        'error: there is no upstream "hqq" in the configuration; there is hq, lab\n',
      )
    })

    it('says so when there is nothing', async () => {
      expect(await cli(['jobs', 'list'])).toEqual({ code: 0, stdout: 'no such jobs\n', stderr: '' })
      expect(await json('jobs', 'list')).toEqual([])
    })
  })

  describe('jobs show', () => {
    it('tells everything about a job, with its log', async () => {
      const { broken, done } = await fill()

      const failed = await cli(['jobs', 'show', broken])
      const copied = await cli(['jobs', 'show', done])

      expect(failed.stdout).toContain(`id:           ${broken}\n`)
      expect(failed.stdout).toContain('event:        event-1\n')
      expect(failed.stdout).toContain(`why it failed:\n    ${REASON.replace('\u001b', ' ')}`)
      expect(failed.stdout).toContain('log:\n    looked at team/broken\n    attempt 1 failed: push')
      expect(copied.stdout).toContain('4 copied, 1 already here, 2 linked from another repository')
    })

    it('gives scripts the job and its log', async () => {
      const { done } = await fill()

      expect(await json('jobs', 'show', done)).toMatchObject({
        id: done,
        outcome: COPIED,
        log: ['looked at team/app'],
      })
    })

    it('tells scripts which blobs are coming', async () => {
      const { slow } = await fill()

      expect(await json('jobs', 'show', slow)).toMatchObject({ progress: UNDER_WAY })
      expect(await json('jobs', 'list', '--state', 'active')).toEqual([
        expect.objectContaining({ id: slow, progress: UNDER_WAY }),
      ])
    })

    it('reads the progress of a version that told of no single blob', async () => {
      const id = await add('lab/app:2.0', 'lab')
      const { underWay: _none, ...whole } = UNDER_WAY
      await (await findJob(queues, id))?.job.updateProgress(whole)

      expect(await json('jobs', 'show', id)).toMatchObject({ progress: { ...whole, underWay: [] } })
    })

    it('fails for a job that there is not', async () => {
      const { code, stdout, stderr } = await cli(['jobs', 'show', 'hq-0'])

      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain('there is no job "hq-0"')
    })
  })

  describe('jobs retry', () => {
    it('runs a failed job again', async () => {
      const { broken } = await fill()
      await queues.of('hq').pause()

      const { code, stdout } = await cli(['jobs', 'retry', broken])

      expect({ code, stdout }).toEqual({ code: 0, stdout: `${broken}  queued again\n` })
      await reaches(broken, 'waiting')
    })

    it('says of each job why it is not run again, and runs the others', async () => {
      const { broken, done } = await fill()
      await queues.of('hq').pause()

      const { code, stdout, stderr } = await cli(['jobs', 'retry', done, broken, 'hq-0'])

      expect(code).toBe(1)
      expect(stdout).toBe(`${broken}  queued again\n`)
      expect(stderr).toContain(
        `${done}: it is completed; only failed and delayed jobs can be run again`,
      )
      expect(stderr).toContain('hq-0: there is no such job')
    })

    it('runs all failed jobs that match', async () => {
      await fill()
      const other = await add('team/broken:2.0')
      await reaches(other, 'failed')
      await queues.of('hq').pause()

      const results = await json('jobs', 'retry', '--all', '--upstream', 'hq', '--match', '*/*:2.*')

      expect(results).toEqual([{ id: other, done: true }])
    })

    it('says that nothing has failed, and succeeds', async () => {
      const { code, stdout } = await cli(['jobs', 'retry', '--all'])

      expect({ code, stdout }).toEqual({ code: 0, stdout: 'no failed jobs to run again\n' })
    })

    it.each([
      [['hq-1', '--all'], 'either ids or --all'],
      [[], 'which jobs?'],
      [['hq-1', '--match', 'team/*'], 'go with --all'],
    ])('refuses %j', async (args, message) => {
      const { code, stderr } = await cli(['jobs', 'retry', ...args])

      expect(code).toBe(2)
      expect(stderr).toContain(message)
    })
  })

  describe('jobs remove', () => {
    it('drops jobs, but none that runs', async () => {
      const { broken, slow } = await fill()

      const { code, stdout, stderr } = await cli(['jobs', 'remove', broken, slow])

      expect(code).toBe(1)
      expect(stdout).toBe(`${broken}  removed\n`)
      expect(stderr).toContain(`${slow}: it is active`)
      expect(await findJob(queues, broken)).toBeUndefined()
    })
  })

  describe('status', () => {
    it('counts the jobs of each upstream and warns where nobody works', async () => {
      await fill()

      const { stdout, stderr, code } = await cli(['status'])

      expect(code).toBe(0)
      expect(rowOf(stdout, 'hq')).toMatch(
        /^hq +running +0 +1 +1 +1 +2 +0 .* ago: (the upstream answered 503|push of)/,
      )
      expect(rowOf(stdout, 'lab')).toMatch(/^lab +running +1 +0 +0 +0 +0 +0 /)
      expect(stderr).toContain(
        'warning: a job of lab waits: no worker serves it; start "pullsync worker"',
      )
    })

    it('fits 80 columns with every count, and names the last failure as far as there is room', async () => {
      await fill()

      const { stdout } = await cli(['status'], { columns: 80 })

      const [head = '', ...rows] = stdout.split('\n').filter((line) => line !== '')
      for (const count of ['WAITING', 'ACTIVE', 'DELAYED', 'FAILED', 'WORKERS']) {
        expect(head).toContain(count)
      }
      expect(head).toContain('LAST FAILURE')
      expect(rows).toHaveLength(2)
      for (const line of [head, ...rows]) expect(line.length).toBeLessThanOrEqual(80)
    })

    it('shows that an upstream is paused until it is resumed', async () => {
      expect((await cli(['pause', 'hq'])).code).toBe(0)
      expect(rowOf((await cli(['status'])).stdout, 'hq')).toMatch(/^hq +paused /)

      expect((await cli(['resume', 'hq'])).code).toBe(0)
      expect(rowOf((await cli(['status'])).stdout, 'hq')).toMatch(/^hq +running /)
    })

    it('shows for how long an upstream asked to be left alone', async () => {
      await queues.of('hq').rateLimit(30_000)

      expect(rowOf((await cli(['status'])).stdout, 'hq')).toMatch(/^hq +held (30|29|28)s /)
    })
  })

  describe('sync', () => {
    it('queues an image that autoSync leaves alone, and tells the id', async () => {
      const { code, stdout } = await cli(['sync', 'lab/app:3.0'])

      const [id = ''] = stdout.split(' ')
      expect(code).toBe(0)
      expect((await findJob(queues, id))?.record).toMatchObject({
        state: 'waiting',
        request: { repository: 'lab/app', reference: '3.0', trigger: 'manual' },
      })
    })

    it.each([
      ['Team/app', '"Team" must be lower-case'],
      ['team/app:-x', 'is not a tag'],
      ['team/../app', 'is not a repository name'],
      ['team/app@sha256:12', 'is not a digest'],
    ])('refuses %s as wrong usage', async (name, message) => {
      const { code, stderr } = await cli(['sync', name])

      expect(code).toBe(2)
      expect(stderr).toContain(message)
    })

    it.each([
      ['nobody/app:1.0', 'no project of the configuration has this name'],
      ['team/app:1-rc1', 'tags filter leaves this tag out'],
    ])('says why %s is not replicated', async (name, message) => {
      const { code, stderr } = await cli(['sync', name])

      expect(code).toBe(1)
      expect(stderr).toContain(message)
    })

    it('waits until the image is here', async () => {
      startWorker()

      const { code, stdout } = await cli(['sync', 'team/app:1.0', '--wait'])

      expect(code).toBe(0)
      expect(stdout).toContain('copied 12.3 MiB from hq\n')
      expect(stdout).toContain('  blobs: 4 copied, 1 already here')
    })

    it('fails when the image is not there, or the job fails', async () => {
      startWorker()

      const missing = await cli(['sync', 'team/missing:1.0', '--wait'])
      const broken = await cli(['sync', 'team/broken:1.0', '--wait', '--json'])

      expect(missing.code).toBe(1)
      expect(missing.stderr).toContain('the image was not copied: not found on hq')
      expect(broken.code).toBe(1)
      expect(JSON.parse(broken.stdout)).toMatchObject({ state: 'failed', failedReason: REASON })
      expect(broken.stderr).toContain('answered 403 DENIED')
    })

    it('shows on a terminal how the whole is going and each blob that is coming', async () => {
      startWorker()
      const screen = new Screen({ columns: 70, rows: 24 })
      const args = ['sync', 'team/slow:1.0', '--wait', '--timeout', '2s']

      const { code } = await cli(args, { terminal: screen })

      expect(code).toBe(1)
      expect(screen.lines.slice(1)).toEqual([
        'active: 25%, 1.0 MiB of 4.0 MiB, 1 of 3 blobs',
        '  111111111111  [===========>          ]   512.0 KiB of 1.0 MiB   50%',
        '  222222222222  [>                     ]         0 B of 2.0 MiB    0%',
      ])
    })

    it('leaves nothing of it on the terminal once the job has ended', async () => {
      startWorker()
      const screen = new Screen({ columns: 100, rows: 24 })

      const syncing = cli(['sync', 'team/held:1.0', '--wait'], { terminal: screen })
      await eventually(() => screen.lines.some((line) => line.includes('111111111111  [====')))
      release()

      expect((await syncing).code).toBe(0)
      expect(screen.lines).toEqual([
        expect.stringMatching(/^hq-\w+ {2}team\/held:1\.0 queued, from hq$/),
        'copied 12.3 MiB from hq',
        `  digest: sha256:${'0'.repeat(64)}`,
        '  fetched: 12.3 MiB from hq',
        '  manifests: 3',
        '  blobs: 4 copied, 1 already here, 2 linked from another repository',
      ])
    })

    it('writes a line per state where nobody watches, and no bars', async () => {
      startWorker()

      const { stdout } = await cli(['sync', 'team/slow:1.0', '--wait', '--timeout', '1s'])

      expect(stdout).toMatch(/^hq-\w+ {2}team\/slow:1\.0 queued, from hq\n(waiting\n)?active\n$/)
    })

    it('stops waiting after the time it was given, while the job goes on', async () => {
      const { code, stderr } = await cli(['sync', 'team/app:1.0', '--wait', '--timeout', '1s'])

      expect(code).toBe(1)
      expect(stderr).toMatch(
        /not done within 1s: no worker serves it; .*; the job goes on; "pullsync jobs show hq-/,
      )
      expect(stderr).toContain('warning: a job of hq waits: no worker serves it')
    })
  })

  describe('without Redis', () => {
    it('says which Redis it needs and waits for none, without its password', async () => {
      const port = await freePort()
      await configure(`redis: { url: redis://127.0.0.1:${port}, password: s3cret }`)

      const { code, stdout, stderr } = await cli(['jobs', 'list'])

      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`cannot use Redis at redis://:***@127.0.0.1:${port}: connect`)
      expect(stderr).not.toContain('s3cret')
      expect(stderr).not.toMatch(/\n {4}at /)
    })

    it('does not wait for a Redis that hangs', async () => {
      redis.pause()

      const { code, stderr } = await cli(['status'])

      redis.resume()
      expect(code).toBe(1)
      expect(stderr).toContain('it does not answer in time')
    })

    it('names "pullsync up" when the configuration has no Redis', async () => {
      await configure('')

      const { code, stderr } = await cli(['jobs', 'list', '--data-dir', folder.path])

      expect(code).toBe(1)
      expect(stderr).toContain(join(folder.path, 'redis.sock'))
      expect(stderr).toContain('Start "pullsync up"')
    })

    it('shows a stack only to those who debug', async () => {
      await redis.stop()

      const { stderr } = await cli(['status'], { env: { PULLSYNC_DEBUG: '1' } })

      expect(stderr).toMatch(/\n {4}at /)
    })
  })

  describe('check', () => {
    it('sums the configuration up', async () => {
      const { code, stdout } = await cli(['check'])

      expect(code).toBe(0)
      expect(stdout).toBe(
        `${join(folder.path, 'pullsync.yaml')} is valid: 2 upstreams, 2 projects, 0 sources\n`,
      )
    })

    it('lists every problem of a configuration', async () => {
      await configure('listen: nowhere\nlisten2: 1\nadmin: { listen: 0.0.0.0:99999 }')

      const { code, stdout, stderr } = await cli(['check'])

      expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
      expect(stderr.trim().split('\n').length).toBeGreaterThanOrEqual(3)
      expect(stderr).toMatch(/pullsync\.yaml:1:\d+ +listen: /)
    })

    it('reaches Redis and every registry, and says which one does not answer', async () => {
      await using local = await startRegistry()
      const nobody = await freePort()
      await writeFile(
        join(folder.path, 'pullsync.yaml'),
        `
redis: { url: ${redis.url} }
local: { url: ${local.url} }
upstreams: { hq: { url: 'http://127.0.0.1:${nobody}' } }
projects: [{ name: team, upstream: hq }]
`,
      )

      const { code, stdout, stderr } = await cli(['check', '--online'])

      expect(code).toBe(1)
      expect(rowOf(stdout, 'redis')).toMatch(/ ok, a job was added, run and removed$/)
      expect(rowOf(stdout, 'local')).toMatch(/ ok, anonymous$/)
      expect(rowOf(stdout, 'hq')).toMatch(/ FAILED$/)
      expect(stdout).toContain('ECONNREFUSED')
      expect(rowOf(stdout, 'project team')).toMatch(
        / ok, may pull; whether it may push shows when it is done$/,
      )
      expect(stderr).toBe('error: 1 of 4 online checks failed\n')
    })

    it('proves the credentials', async () => {
      const htpasswd = { username: 'ops', password: 'correct-horse' } as const
      await using local = await startRegistry({ htpasswd })
      const lines = (password: string) => `
redis: { url: ${redis.url} }
local: { url: ${local.url}, username: ops, password: ${password} }
upstreams: { hq: { url: ${local.url}, username: ops, password: correct-horse } }
projects: [{ name: team, upstream: hq }]
`
      await writeFile(join(folder.path, 'pullsync.yaml'), lines('correct-horse'))
      const right = await cli(['check', '--online'])
      await writeFile(join(folder.path, 'pullsync.yaml'), lines('wrong-horse'))
      const wrong = await cli(['check', '--online', '--json'])

      expect(right.code).toBe(0)
      expect(rowOf(right.stdout, 'local')).toMatch(/ ok, as ops$/)
      expect(wrong.code).toBe(1)
      expect(JSON.parse(wrong.stdout)).toMatchObject({
        online: [
          ...[{ name: 'redis' }, { name: 'local', ok: false }, { name: 'hq', ok: true }],
          // Of the local side nothing can be asked.
          { name: 'project team', at: `${local.url}/team`, ok: true, message: 'ok, may pull' },
        ],
      })
      expect(wrong.stdout + wrong.stderr).not.toContain('wrong-horse')
    })
  })

  describe('print', () => {
    const SOURCES = `
sources:
  edge: { format: distribution, registry: local, secret: edge-secret }
  hq-push: { format: distribution, registry: hq, secret: hq-secret }
  misses: { format: pull-miss, registry: local, secret: miss-secret }
  cloud: { format: gar, registry: hq, audience: an-audience, email: push@lab.example }
  hub: { format: quay, registry: hq, secret: 'a secret' }`

    it('prints the notifications block of a source, its secret only when asked', async () => {
      await configure(SOURCES)
      const args = ['print', 'notifications', 'edge']

      const plain = await cli(args)
      const secret = await cli([
        ...args,
        '--with-secrets',
        '--url',
        'http://pullsync.example:8080/',
      ])

      expect(plain.stdout).toContain('notifications:')
      expect(plain.stdout).toContain('http://127.0.0.1:8080/v1/events/edge')
      expect(plain.stdout).toContain('from elsewhere, print it with --url')
      expect(plain.stdout).not.toContain('edge-secret')
      expect(secret.stdout).toContain('http://pullsync.example:8080/v1/events/edge')
      expect(secret.stdout).toContain('Bearer edge-secret')
    })

    it("leaves the local registry's pulls in, and an upstream's out", async () => {
      await configure(SOURCES)

      const edge = await cli(['print', 'notifications', 'edge'])
      const hq = await cli(['print', 'notifications', 'hq-push'])

      expect(edge.stdout).toContain('actions: [mount]')
      expect(hq.stdout).toContain('actions: [pull, mount]')
    })

    it.each([[], ['--with-secrets']])(
      'prints JSON that can be pasted as it is, with what is to be said beside it %j',
      async (...options) => {
        await configure('sources: { space: { format: zot, registry: hq, secret: moonlight } }')

        const { code, stdout, stderr } = await cli(['print', 'notifications', ...options])

        expect(code).toBe(0)
        expect(JSON.parse(stdout)).toHaveProperty('extensions.events.sinks')
        expect(stderr).toMatch(/^# In zot's config\.json/m)
      },
    )

    it('needs a name where several sources fit, and none where one does', async () => {
      await configure(SOURCES)

      const several = await cli(['print', 'notifications'])
      const one = await cli(['print', 'nginx'])
      const unknown = await cli(['print', 'nginx', 'edge'])

      expect(several.code).toBe(2)
      expect(several.stderr).toContain('edge, hq-push, cloud, hub')
      expect(one.code).toBe(0)
      expect(one.stdout).toContain('/v1/events/misses')
      expect(one.stdout).toContain('server 127.0.0.1:5000;')
      expect(unknown.code).toBe(1)
      expect(unknown.stderr).toContain('there is no source "edge" with format: pull-miss')
    })

    it('prints an nginx that listens where it is told to', async () => {
      await configure(SOURCES)

      const one = await cli(['print', 'nginx', '--listen', '127.0.0.1:5080'])
      const six = await cli(['print', 'nginx', '--listen', '[::1]:5080'])
      const elsewhere = await cli(['print', 'notifications', 'edge', '--listen', '127.0.0.1:5080'])

      expect(one.stdout).toContain('listen 127.0.0.1:5080;')
      expect(six.stdout).toContain('listen [::1]:5080;')
      expect(elsewhere.code).toBe(2)
    })

    it.each([
      ['cloud', "--push-auth-token-audience 'an-audience'"],
      ['hub', 'https://pullsync.example/v1/events/hub/a%20secret'],
    ])('prints what the sender of %s needs, named as an option', async (id, told) => {
      await configure(SOURCES)
      const options = ['--with-secrets', '--url', 'https://pullsync.example']

      const { code, stdout } = await cli(['print', 'notifications', '--source', id, ...options])

      expect(code).toBe(0)
      expect(stdout).toContain(told)
    })

    it('says what to add to the configuration when no source fits', async () => {
      const { code, stderr } = await cli(['print', 'nginx'])

      expect(code).toBe(1)
      expect(stderr).toContain('misses: { format: pull-miss, registry: local, secretFile:')
    })
  })

  describe('usage', () => {
    it.each([
      [['--help'], 0],
      [['jobs', 'list', '--help'], 0],
      [['--version'], 0],
      [[], 2],
      [['jobs'], 2],
      [['nonsense'], 2],
      [['status', '--nonsense'], 2],
      [['jobs', 'list', '--state', 'sleeping'], 2],
      [['jobs', 'list', '--limit', '0'], 2],
      [['pause'], 2],
      [['up', '--admin-listen', 'nowhere'], 2],
      [['sync', 'team/app', '--wait', '--timeout', 'soon'], 2],
    ])('ends %j with exit code %i', async (args, code) => {
      const result = await cli(args)

      expect(result.code).toBe(code)
      expect(code === 0 ? result.stdout : result.stderr).not.toBe('')
      expect(code === 0 ? result.stderr : result.stdout).toBe('')
    })

    it('takes the global options before and after the command', async () => {
      const elsewhere = join(folder.path, 'elsewhere.yaml')

      const before = await cli(['--config', elsewhere, 'status'])
      const after = await cli(['status', '--config', elsewhere])

      expect(before).toEqual(after)
      expect(before.code).toBe(78)
      expect(before.stderr).toContain('elsewhere.yaml')
    })
  })
})
