import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JobsConfig } from '../../../src/config/config.ts'
import { DASHBOARD_PATH, dashboardRouter } from '../../../src/dashboard/dashboard.ts'
import { createApp } from '../../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { parseImageName } from '../../../src/oci/reference.ts'
import { findJob } from '../../../src/queue/records/job-records.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { waitUntilReady } from '../../../src/pool/ready.ts'
import { ENOUGH_MS } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const JOBS: JobsConfig = {
  attempts: 3,
  backoffMs: 1_000,
  maxBackoffMs: 1_000,
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

describe('the dashboard', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let server: HttpServer
  let url: string

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq'],
      jobs: JOBS,
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await waitUntilReady(queues.redis, AbortSignal.timeout(ENOUGH_MS))
    const app = createApp()
    app.use(DASHBOARD_PATH, dashboardRouter({ queues }))
    server = await startHttpServer(app, {
      address: { host: '127.0.0.1', port: 0 },
      configKey: 'admin.listen',
    })
    url = server.url
  })

  afterEach(async () => {
    await server[Symbol.asyncDispose]()
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  async function add(name: string): Promise<string> {
    const image = parseImageName(name)
    if (!image.ok) throw new Error(image.reason)
    const [queued] = await queues.enqueue([
      {
        ...image.value,
        upstreamRepository: image.value.repository,
        upstreams: ['hq'],
        trigger: 'miss',
        onlyIfPresent: false,
        platforms: 'all',
        referrers: true,
        eventId: 'event-1',
      },
    ])
    return queued?.jobId ?? ''
  }

  /** As the page asks for what it shows. */
  async function shown(active = 'hq') {
    const response = await fetch(`${url}/dashboard/api/queues?activeQueue=${active}&page=1`)
    const body = (await response.json()) as {
      queues: { name: string; jobs: { id: string; name: string; progress: unknown }[] }[]
    }
    return body.queues
  }

  it.each(['/dashboard', '/dashboard/', '/dashboard/queue/hq'])(
    'shows its page at %s, under the name pullsync',
    async (path) => {
      const response = await fetch(url + path)
      const html = await response.text()

      expect(response.status).toBe(200)
      expect(html).toContain('<title>pullsync</title>')
      expect(html).toContain('<base href="/dashboard/" />')
    },
  )

  it('loads nothing from anywhere else', async () => {
    const response = await fetch(`${url}/dashboard/`)
    const html = await response.text()
    const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link ?? '')

    expect(links.length).toBeGreaterThan(5)
    expect(links.filter((link) => /^(https?:)?\/\//.test(link))).toEqual([])
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
    for (const link of links) {
      const asset = await fetch(new URL(link, `${url}/dashboard/`))
      expect([link, asset.status]).toEqual([link, 200])
    }
  })

  it('shows jobs by their image, with progress in percent', async () => {
    const id = await add('team/app:1.0')
    const found = await findJob(queues, id)
    await found?.job.updateProgress({ bytes: 1, totalBytes: 3, blobs: 1, totalBlobs: 3 })

    const [hq] = await shown()

    expect(hq?.jobs).toEqual([
      expect.objectContaining({ id, name: 'team/app:1.0 (miss)', progress: 33 }),
    ])
  })

  it('shows what is invisible in the words of a registry', async () => {
    const id = await add('team/app:1.0')
    const found = await findJob(queues, id)
    await found?.job.log('denied \u202edetnarg\u2066')

    const response = await fetch(`${url}/dashboard/api/queues/hq/${id}/logs`)
    const text = await response.text()

    expect(text).toContain('u202edetnarg')
    expect(text).not.toMatch(/\p{Cf}/u)
  })

  it('shows the queue of an upstream that a reload adds', async () => {
    expect((await shown()).map(({ name }) => name)).toEqual(['hq'])

    queues.configure(['hq', 'lab'], { jobs: JOBS, misses: MISS_LIMITS })

    expect((await shown()).map(({ name }) => name)).toEqual(['hq', 'lab'])
  })

  it('removes a job when asked to', async () => {
    const id = await add('team/app:1.0')

    const response = await fetch(`${url}/dashboard/api/queues/hq/${id}/clean`, { method: 'PUT' })

    expect(response.ok).toBe(true)
    expect(await findJob(queues, id)).toBeUndefined()
  })

  it.each([
    ['PUT', 'concurrency', { concurrency: 1 }],
    ['PUT', 'rate-limit', { max: 1, duration: 60_000 }],
    ['PUT', 'rate-limit/release', {}],
    ['PUT', 'empty', {}],
    ['PUT', 'obliterate', {}],
    ['PUT', 'clean/wait', {}],
    ['PUT', 'clean/prioritized', {}],
    ['PUT', 'clean/delayed', {}],
    ['PATCH', 'JOB/priority', { priority: 9 }],
    ['PATCH', 'JOB/delay', { delay: 60_000 }],
  ])('does not let %s %s change work invisibly', async (method, path, body) => {
    const id = await add('team/app:1.0')

    const response = await fetch(`${url}/dashboard/api/queues/hq/${path.replace('JOB', id)}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

    expect(response.status).toBe(403)
    expect(await response.text()).toContain('retries, removes, promotes, pauses and resumes')
    expect(await findJob(queues, id)).toBeDefined()
    expect(await queues.of('hq').getGlobalConcurrency()).toBeNull()
    expect(await queues.of('hq').getGlobalRateLimit()).toBeNull()
  })

  it.each(['pause', 'resume', 'promote', 'retry/failed', 'clean/failed', 'clean/completed'])(
    'does %s',
    async (action) => {
      const response = await fetch(`${url}/dashboard/api/queues/hq/${action}`, { method: 'PUT' })

      expect(response.status).toBe(200)
    },
  )

  it('makes no jobs and changes none', async () => {
    const id = await add('team/app:1.0')
    const headers = { 'content-type': 'application/json' }

    const added = await fetch(`${url}/dashboard/api/queues/hq/add`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name: 'miss', data: { repository: 'evil/app' }, options: {} }),
    })
    const changed = await fetch(`${url}/dashboard/api/queues/hq/${id}/update-data`, {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ jobData: { repository: 'evil/app' } }),
    })

    expect(added.status).toBe(403)
    expect(changed.status).toBe(403)
    expect(await queues.of('hq').count()).toBe(1)
    expect((await findJob(queues, id))?.record.request?.repository).toBe('team/app')
  })
})

describe('the dashboard of a process whose Redis was never there', () => {
  it('says so instead of waiting for it', async () => {
    await using queues = new ReplicationQueues({
      ...{ url: 'redis://127.0.0.1:1', upstreams: ['hq'], jobs: JOBS, misses: MISS_LIMITS },
      onError: () => undefined,
    })
    const app = createApp().use(DASHBOARD_PATH, dashboardRouter({ queues }))
    const address = { host: '127.0.0.1', port: 0 }
    await using server = await startHttpServer(app, { address, configKey: 'admin.listen' })

    for (const path of ['/', '/api/queues']) {
      const answer = await fetch(`${server.url}${DASHBOARD_PATH}${path}`)

      expect(answer.status).toBe(503)
      expect(await answer.text()).toContain('Redis is not answering (connect ECONNREFUSED')
    }
  })
})
