import { UnrecoverableError, Worker } from 'bullmq'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JobsConfig } from '../../../src/config/config.ts'
import { openOverview, type Overview } from '../../../src/dashboard/overview/overview.ts'
import { createApp } from '../../../src/http/app.ts'
import { sameOriginOnly } from '../../../src/http/same-origin.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { Figures } from '../../../src/pool/figures.ts'
import { waitUntilReady } from '../../../src/pool/ready.ts'
import { findJob } from '../../../src/queue/records/job-records.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { ENOUGH_MS, eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'

const CONFIG = configOf(
  yamlWith({ projects: "projects: [{ name: team, upstream: hq, tags: { exclude: ['*-rc*'] } }]" }),
)

const JOBS: JobsConfig = {
  attempts: 1,
  backoffMs: 1_000,
  maxBackoffMs: 1_000,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

describe('the overview', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let overview: Overview
  let server: HttpServer

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq', 'dr'],
      jobs: JOBS,
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await waitUntilReady(queues.redis, AbortSignal.timeout(ENOUGH_MS))
    overview = openOverview(queues, () => CONFIG)
    const app = createApp()
    app.use(sameOriginOnly())
    app.use(overview.router)
    server = await startHttpServer(app, {
      address: { host: '127.0.0.1', port: 0 },
      configKey: 'admin.listen',
    })
  })

  afterEach(async () => {
    overview[Symbol.dispose]()
    await server[Symbol.asyncDispose]()
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  async function page(path = '/'): Promise<{ readonly status: number; readonly html: string }> {
    const response = await fetch(server.url + path)
    return { status: response.status, html: await response.text() }
  }

  /** The same page of a process with another Redis. */
  async function pageWithout(url: string | undefined) {
    if (url === undefined) return undefined
    const upstreams = ['hq']
    const config = { url, upstreams, jobs: JOBS, misses: MISS_LIMITS, onError: () => undefined }
    const others = new ReplicationQueues(config)
    const view = openOverview(others, () => CONFIG)
    const app = createApp().use(view.router)
    const address = { host: '127.0.0.1', port: 0 }
    const own = await startHttpServer(app, { address, configKey: 'admin.listen' })
    return {
      url: own.url,
      async [Symbol.asyncDispose]() {
        view[Symbol.dispose]()
        await own[Symbol.asyncDispose]()
        await others[Symbol.asyncDispose]()
      },
    }
  }

  async function add(name: string): Promise<string> {
    const [repository = '', reference = ''] = name.split(':')
    const request = { repository: repository as Repository, reference }
    const [queued] = await queues.enqueue([replicationRequest(request)])
    return queued?.jobId ?? ''
  }

  /** A job that a worker has run, in vain. */
  async function failed(name: string, reason: string): Promise<string> {
    const id = await add(name)
    const worker = new Worker('hq', () => Promise.reject(new UnrecoverableError(reason)), {
      connection: { url: redis.url, maxRetriesPerRequest: null },
      prefix: 'pullsync',
    })
    await eventually(async () => (await findJob(queues, id))?.record.state === 'failed')
    await worker.close()
    return id
  }

  it('shows every upstream, how it is and what to do, with nothing in Redis yet', async () => {
    await queues.of('dr').pause()

    const { status, html } = await page()

    expect(status).toBe(200)
    expect(html).toMatch(/<th scope="row">hq<\/th>\s*<td>\s*<strong>no worker<\/strong>/)
    expect(html).toContain('Start &quot;pullsync worker&quot;')
    expect(html).toMatch(/<th scope="row">dr<\/th>\s*<td>\s*<strong>paused<\/strong>/)
    expect(html).toContain('pullsync resume dr')
    expect(html).toContain('Nothing is coming, and nothing waits.')
    expect(html).toContain('No job has failed for good.')
  })

  it('shows what waits, and leads to what is known of it', async () => {
    await add('team/app:1.0')

    const { html } = await page()
    const story = await page('/image?name=team%2Fapp%3A1.0')

    expect(html).toContain('<a href="image?name=team%2Fapp%3A1.0">team/app:1.0</a>')
    expect(html).toContain('waits for a place')
    expect(html).toContain('1 waiting (1 miss)')
    expect(story.html).toContain('<th scope="row">team/app:1.0</th>')
    expect(story.html).toContain('brings it here, as team/app:1.0 of its upstream.')
    expect((await page('/image?name=team/app:1-rc1')).html).toContain('(tags.exclude has *-rc*)')
    expect((await page('/image?name=nobody')).html).toContain('No job is known of')
  })

  it('groups failures by cause, and runs a group again', async () => {
    const reason = (name: string) => `get ${name} from hq: 503. Ask its operator.`
    const ids = [
      await failed('team/app:1.0', reason('team/app:1.0')),
      await failed('team/web:2.0', reason('team/web:2.0')),
      await failed('team/db:3.0', 'no space left'),
    ]

    const { html } = await page()
    expect(html).toContain('Retry all 2')
    const [, jobs = ''] = /name="jobs" value="([^"]+)"/.exec(html) ?? []
    expect(jobs.split(' ').sort()).toEqual(ids.slice(0, 2).sort())

    const answer = await fetch(`${server.url}/retry`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ jobs }),
      redirect: 'manual',
    })

    expect([answer.status, answer.headers.get('location')]).toEqual([303, './'])
    for (const id of ids.slice(0, 2)) {
      expect((await findJob(queues, id))?.record.state).toBe('waiting')
    }
    expect((await page()).html).toContain('Retry it')
  })

  it('lets no other site run anything again', async () => {
    const id = await failed('team/app:1.0', 'no space left')

    const answer = await fetch(`${server.url}/retry`, {
      method: 'POST',
      headers: { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' },
      body: new URLSearchParams({ jobs: id }),
    })

    expect(answer.status).toBe(403)
    expect((await findJob(queues, id))?.record.state).toBe('failed')
  })

  it('puts nothing foreign into the page as it came', async () => {
    await failed('team/app:1.0', '<script>alert(1)</script> & "more"\u202e')

    const { html } = await page()
    const story = await page(`/image?name=${encodeURIComponent('"><script>alert(2)</script>')}`)

    expect(html + story.html).not.toContain('<script>alert')
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;')
    expect(story.html).toContain('&quot;&gt;&lt;script&gt;alert(2)')
  })

  it('plots what all processes did, with the numbers in words', async () => {
    const figures = new Figures(queues.redis)
    const minute = Date.now() - 60_000
    await figures.add(new Map([['upstreamBytes', 60 * 1024 * 1024]]), minute)
    await figures.add(new Map([['misses:missing', 3]]), minute)
    await figures.add(new Map([['misses:missing', 4]]), minute)

    const { html } = await page()

    expect(html).toContain('Bytes from upstreams, and to clients, the last hour; at most 1.0 MiB/s')
    expect(html).toMatch(/nothing: [\d.]+\/min now,\s+7\.0\/min at most/)
    // A day's figures are not for ever.
    const keys = await queues.redis.keys('pullsync:figures:*')
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) expect(await queues.redis.ttl(key)).toBeGreaterThan(0)
  })

  it('asks Redis for as much, however many jobs wait, and is no longer', async () => {
    const figure = async (name: string) =>
      Number(new RegExp(`${name}:(\\d+)`).exec(await queues.redis.info('stats'))?.[1])
    const look = async () => {
      const names = ['total_commands_processed', 'total_net_output_bytes'] as const
      const before = await Promise.all(names.map(figure))
      const { html } = await page()
      const [commands = 0, bytes = 0] = (await Promise.all(names.map(figure))).map(
        (after, at) => after - (before[at] ?? 0),
      )
      return { commands, bytes, characters: html.length }
    }
    const addMany = async (from: number, count: number) => {
      const references = Array.from({ length: count }, (_, n) => `build-${10_000 + from + n}`)
      await queues.enqueue(references.map((reference) => replicationRequest({ reference })))
    }
    await addMany(0, 100)
    // So that its scripts are known to Redis.
    await page()
    const few = await look()

    await addMany(100, 9_900)
    const many = await look()

    expect((await page()).html).toContain('10000')
    expect(many.commands).toBe(few.commands)
    expect(many.bytes).toBeLessThan(few.bytes + 5_000)
    expect(many.characters).toBeLessThan(few.characters + 5_000)
  })

  it('says that Redis is away, and nothing about its own insides', async () => {
    await redis.stop()

    const { status, html } = await page()

    expect(status).toBe(503)
    expect(html).toMatch(/Redis is not answering \(.*Check redis\.url and that Redis runs/)
    expect(html).not.toMatch(/at \w+ \(|\.ts:\d+/)
  })

  it.each(['stopped', 'never there'])(
    'answers also a look at an image and a retry in its own words: Redis %s',
    async (state) => {
      if (state === 'stopped') await redis.stop()
      await using away = await pageWithout(state === 'stopped' ? undefined : 'redis://127.0.0.1:1')
      const ask = async (path: string, init?: RequestInit) => {
        const response = await fetch((away?.url ?? server.url) + path, init)
        return { status: response.status, text: await response.text() }
      }

      const answers = [
        await ask('/'),
        await ask('/image?name=team/app:1.0'),
        await ask('/retry', { method: 'POST', body: new URLSearchParams({ jobs: 'hq-1 hq-2' }) }),
      ]

      for (const { status, text } of answers) {
        expect(status).toBe(503)
        expect(text).toMatch(/Redis is not answering \(.*Check redis\.url and that Redis runs/)
        expect(text).not.toContain('enableOfflineQueue')
      }
    },
  )

  it('loads nothing from elsewhere', async () => {
    const response = await fetch(server.url)

    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(await response.text()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
  })

  it('tells whoever looks at it what has changed', async () => {
    const stop = new AbortController()
    const response = await fetch(`${server.url}/overview/events`, { signal: stop.signal })
    let got = ''
    const reading = (async () => {
      for await (const piece of response.body ?? [])
        got += Buffer.from(piece as Uint8Array).toString()
    })().catch(() => undefined)
    await add('team/late:1.0')

    await eventually(() => got.includes('team/late:1.0'), { describe: 'the new job to be told' })

    stop.abort()
    await reading
    expect(got.startsWith('retry: 2000\n\n')).toBe(true)
  })
})
