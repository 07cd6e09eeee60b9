import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../../src/config/config.ts'
import { createApp } from '../../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import type { Project } from '../../../src/policy/project.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { JOB_STATES, listJobs } from '../../../src/queue/records/job-records.ts'
import { TagChecks } from '../../../src/pool/tag-checks.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts'
import { createReporter } from '../../../src/telemetry/reports/report.ts'
import { deliveriesFirst } from '../../../src/webhook/deliveries-first.ts'
import { openWebhook } from '../../../src/webhook/route.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const SECRET = 'orbit-secret'

const project: Project = {
  name: 'team',
  upstreams: ['hq'],
  autoSync: true,
  repositories: { include: ['**'], exclude: [] },
  tags: { include: ['*'], exclude: [] },
  platforms: 'all',
  referrers: true,
  revalidateAfterMs: 600_000,
  onUpstreamPush: 'always',
  onUpstreamDelete: 'keep',
}

const sources = new Map<string, SourceConfig>([
  ['edge', { id: 'edge', format: 'pull-miss', registry: 'local', secrets: [SECRET] }],
  ['hq-push', { id: 'hq-push', format: 'distribution', registry: 'hq', secrets: [SECRET] }],
])

describe('the webhook with a real queue', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let server: HttpServer
  let metrics: Metrics

  beforeEach(async () => {
    redis = await startRedis()
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq'],
      jobs: {
        ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
        keepCompleted: { ageMs: 60_000, count: 100 },
        keepFailed: { ageMs: 60_000, count: 100 },
      },
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await queues.ping()
    const logger = createLogger({ level: 'error', pretty: false, stream: nowhere() })
    metrics = createMetrics()
    const report = createReporter(logger, metrics)
    const config = () => ({ sources, projects: [project], local: {}, upstreams: new Map() })
    const app = createApp()
    const webhook = openWebhook({
      config,
      enqueuer: queues,
      checks: new TagChecks(queues.redis),
      report,
    })
    app.use(webhook.router)
    const address = { host: '127.0.0.1', port: 0 }
    server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
      address,
      configKey: 'listen',
    })
  })

  afterEach(async () => {
    await server.stop(0)
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  it('makes one job of 500 deliveries of the same miss', async () => {
    const answers = await Promise.all(Array.from({ length: 500 }, () => miss('1.0')))

    const counts = answers.map(({ body }) => body as { accepted: number; duplicates: number })
    expect(counts.filter(({ accepted }) => accepted === 1)).toHaveLength(1)
    expect(counts.filter(({ duplicates }) => duplicates === 1)).toHaveLength(499)
    expect(await jobs()).toHaveLength(1)
  })

  it('counts the second of two equal events in one delivery as a duplicate', async () => {
    const event = {
      action: 'push',
      target: { repository: 'team/app', tag: '1.0', digest: `sha256:${'ab'.repeat(32)}` },
    }

    const { body } = await post('hq-push', { events: [event, event] })

    expect(body).toEqual({ accepted: 1, ignored: 0, duplicates: 1 })
  })

  it('says how many misses it holds back, and for which reason', async () => {
    for (let taken = 0; taken < MISS_LIMITS.perRepository.burst; taken += 1) {
      await queues.limits.take({
        ...{ repository: 'team/app' as Repository, upstreams: ['hq'] },
        ...{ trigger: 'miss', source: 'edge' },
      })
    }

    expect(await miss('absent')).toEqual({
      status: 202,
      body: { accepted: 0, ignored: 1, duplicates: 0, limited: { 'repository-limited': 1 } },
    })
    expect(await post('edge', { repository: 'team/other', reference: '1.0' })).toMatchObject({
      body: { accepted: 1, ignored: 0 },
    })
    expect(await metrics.render()).toContain(
      'pullsync_events_ignored_total{source="edge",reason="repository-limited"} 1',
    )
    expect(await jobs()).toMatchObject([{ repository: 'team/other', source: 'edge' }])
  })

  it('answers 503 while Redis hangs, and queues nothing', async () => {
    redis.pause()

    const { status } = await miss('1.0')

    redis.resume()
    expect(status).toBe(503)
  })

  it('gets what happened while Redis was away by the repetition of the registry', async () => {
    await using registry = await startRegistry({
      notifications: [
        {
          name: 'pullsync',
          url: `${server.url}/v1/events/hq-push`,
          headers: { Authorization: `Bearer ${SECRET}` },
          timeoutMs: 3_000,
        },
      ],
    })
    await using image = await buildImage({ index: false, layers: 1, layerBytes: 100 })
    await redis.stop()
    await pushOverHttp(image, { url: registry.url, repository: 'team/app', tag: '1.0' })
    await eventually(async () => (await miss('probe')).status === 503)

    await redis.start()

    const [job] = await eventually(async () => {
      const found = await jobs()
      return found.length > 0 && found
    })
    expect(job).toMatchObject({ repository: 'team/app', reference: '1.0', trigger: 'push' })
  })

  async function jobs() {
    const found = await listJobs(queues, { states: JOB_STATES, matches: () => true, limit: 100 })
    return found.map(({ request }) => request)
  }

  async function miss(reference: string) {
    return await post('edge', { repository: 'team/app', reference })
  }

  async function post(source: string, delivery: object) {
    const response = await fetch(`${server.url}/v1/events/${source}`, {
      method: 'POST',
      body: JSON.stringify(delivery),
      headers: { authorization: `Bearer ${SECRET}` },
    })
    const body: unknown = await response.json()
    return { status: response.status, body }
  }
})

function nowhere(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
}
