import { Writable } from 'node:stream'
import type { SourceConfig } from '../../../src/config/config.ts'
import type { Delivery } from '../../../src/events/delivery.ts'
import { FORMATS, type FormatName } from '../../../src/events/formats.ts'
import { createApp } from '../../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import type { Project } from '../../../src/policy/project.ts'
import { TagChecks } from '../../../src/pool/tag-checks.ts'
import { parsePayload } from '../../../src/queue/payload.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createReporter } from '../../../src/telemetry/reports/report.ts'
import { deliveriesFirst } from '../../../src/webhook/deliveries-first.ts'
import type { Checks } from '../../../src/webhook/receive.ts'
import { openWebhook } from '../../../src/webhook/route.ts'
import { deliveryOf, readFixture } from '../../fixtures/read-fixtures.ts'
import { PROOFS, proven } from '../../fixtures/senders.ts'
import { type KeyService, startKeyService } from '../../support/registry/key-service.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

export const SECRET = 'orbit/secret %41'
export const A = `sha256:${'a1'.repeat(32)}`
export const OWN_ACCOUNT = 'robot$orbit+pullsync'
export const TOKEN = { aud: 'orbit', email: 'push@lab.example' }
export const IGNORED = { status: 202, body: { accepted: 0, ignored: 1, duplicates: 0 } }

const HOP_BY_HOP = ['host', 'content-length']

const LIMITS = {
  jobs: {
    ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
    keepCompleted: { ageMs: 60_000, count: 100 },
    keepFailed: { ageMs: 60_000, count: 100 },
  },
  misses: MISS_LIMITS,
}

export async function formatsSite(): Promise<FormatsSite> {
  const redis = await startRedis()
  const keyService = await startKeyService()
  const queues = new ReplicationQueues({
    ...{ url: redis.url, upstreams: [], ...LIMITS },
    onError: () => undefined,
  })
  await queues.ping()
  const site = new FormatsSite(redis, keyService, queues)
  await site.listen()
  return site
}

/** A webhook with a source of every format, and the queue behind it. */
export class FormatsSite implements AsyncDisposable {
  readonly keyService: KeyService
  onUpstreamDelete: Project['onUpstreamDelete'] = 'keep'
  readonly #redis: TestRedis
  readonly #queues: ReplicationQueues
  readonly #metrics = createMetrics()
  #server: HttpServer | undefined
  #checks: TagChecks
  #upstream = 'none'
  #tests = 0

  constructor(redis: TestRedis, keyService: KeyService, queues: ReplicationQueues) {
    this.#redis = redis
    this.keyService = keyService
    this.#queues = queues
    this.#checks = new TagChecks(queues.redis)
  }

  get url(): string {
    if (this.#server === undefined) throw new Error('it does not listen yet')
    return this.#server.url
  }

  async listen(): Promise<void> {
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done()
      },
    })
    const logger = createLogger({ level: 'error', pretty: false, stream })
    const report = createReporter(logger, this.#metrics)
    const config = () => ({
      sources: sourcesOf(this.#upstream, this.keyService.keysUrl),
      projects: [{ ...projectOf(this.#upstream), onUpstreamDelete: this.onUpstreamDelete }],
      local: { username: OWN_ACCOUNT },
      upstreams: new Map(),
    })
    const app = createApp()
    const ofThisTest: Checks = {
      due: (request, withinMs) => this.#checks.due(request, withinMs),
      forget: (request) => this.#checks.forget(request),
      noteDeletion: (cause, digest) => this.#checks.noteDeletion(cause, digest),
      digestDeleted: (cause) => this.#checks.digestDeleted(cause),
    }
    const webhook = openWebhook({ config, enqueuer: this.#queues, checks: ofThisTest, report })
    app.use(webhook.router)
    const address = { host: '127.0.0.1', port: 0 }
    this.#server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
      address,
      configKey: 'listen',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop(0)
    await this.#queues[Symbol.asyncDispose]()
    await this.#redis[Symbol.asyncDispose]()
    await this.keyService[Symbol.asyncDispose]()
  }

  /** A queue of its own for each test, and nothing that was looked at before. */
  async beginTest(): Promise<void> {
    const looked = await this.#queues.redis.keys('pullsync:checked:*')
    await this.#queues.redis.del('none', ...looked)
    this.#checks = new TagChecks(this.#queues.redis)
    this.#tests += 1
    this.onUpstreamDelete = 'keep'
    this.#upstream = `up-${this.#tests}`
    this.#queues.configure([this.#upstream], LIMITS)
  }

  async post(
    format: FormatName,
    fixture: string,
    changed: (text: string, id: string) => string = (text) => text,
    source: string = format,
  ) {
    const delivery = deliveryOf(readFixture(fixture, format))
    const content = FORMATS[format].parse(delivery)
    const id = content.ok ? (content.value.events[0]?.id ?? '-') : '-'
    const headers = Object.entries(delivery.headers).map(
      ([name, value = '']) => [name, changed(value, id)] as const,
    )
    const body = Buffer.from(changed(delivery.body.toString(), id))
    const changedDelivery = { ...delivery, headers: Object.fromEntries(headers), body }
    return await this.send(format, changedDelivery, source)
  }

  async send(format: FormatName, delivery: Delivery, source: string = format) {
    const { headers, body, pathSecret } = await this.#fromSender(format, delivery)
    const path = pathSecret === undefined ? '' : `/${encodeURIComponent(pathSecret)}`
    const response = await fetch(`${this.url}/v1/events/${source}${path}`, {
      method: 'POST',
      body,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        value === undefined || HOP_BY_HOP.includes(name) ? [] : [[name, value]],
      ),
    })
    const answer: unknown = await response.json()
    return { status: response.status, body: answer }
  }

  async #fromSender(format: FormatName, delivery: Delivery): Promise<Delivery> {
    if (format !== 'gar') {
      return proven(delivery, { proof: PROOFS[format][0], secret: SECRET })
    }
    const token = await this.keyService.token({ iss: 'accounts.google.com', ...TOKEN })
    return { ...delivery, headers: { ...delivery.headers, authorization: `Bearer ${token}` } }
  }

  /** How many events of the source were ignored for this reason so far. */
  async ignored(source: string, reason: string): Promise<number> {
    const line = `pullsync_events_ignored_total{source="${source}",reason="${reason}"} `
    const text = await this.#metrics.render()
    return Number(
      text
        .split('\n')
        .find((each) => each.startsWith(line))
        ?.slice(line.length) ?? 0,
    )
  }

  async jobs() {
    const upstream = this.#upstream
    const found = await this.#queues
      .of(upstream)
      .getJobs(['prioritized', 'waiting', 'delayed', 'active'])
    return found.map((job) => {
      const request = parsePayload(job, upstream)
      if (!request.ok) throw new Error(request.reason)
      return { opts: job.opts, data: request.value }
    })
  }
}

function sourcesOf(upstream: string, keysUrl: URL): ReadonlyMap<string, SourceConfig> {
  return new Map(
    [...Object.keys(FORMATS).flatMap((id) => [id, `local-${id}`]), 'gar-apart'].map((id) => [
      id,
      {
        ...{ id, format: formatOf(id), secrets: ['another', SECRET] },
        registry: id.startsWith('local-') ? 'local' : upstream,
        ...(formatOf(id) === 'gar' && {
          token: {
            audience: TOKEN.aud,
            email: TOKEN.email,
            // Another address, so that its keys are not known from another test.
            keysUrl: new URL(`?of=${id}`, keysUrl),
          },
        }),
      },
    ]),
  )
}

function formatOf(id: string): FormatName {
  return id === 'gar-apart' ? 'gar' : (id.replace(/^local-/, '') as FormatName)
}

function projectOf(upstream: string): Project {
  return {
    name: '*',
    upstreams: [upstream],
    autoSync: true,
    repositories: { include: ['**'], exclude: [] },
    tags: { include: ['*'], exclude: [] },
    platforms: 'all',
    referrers: true,
    revalidateAfterMs: 600_000,
    onUpstreamPush: 'always',
    onUpstreamDelete: 'keep',
  }
}
