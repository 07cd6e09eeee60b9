import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import type { SourceConfig } from '../../../src/config/config.ts'
import { createApp } from '../../../src/http/app.ts'
import { notFound, unexpectedErrors } from '../../../src/http/error-handlers.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import type { Project } from '../../../src/policy/project.ts'
import { QueueUnavailableError } from '../../../src/pool/redis-errors.ts'
import type { Enqueued } from '../../../src/queue/enqueued.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts'
import { createReporter } from '../../../src/telemetry/reports/report.ts'
import { deliveriesFirst } from '../../../src/webhook/deliveries-first.ts'
import type { Enqueuer } from '../../../src/webhook/enqueuer.ts'
import { openWebhook } from '../../../src/webhook/route.ts'
import { NEVER_CHECKED } from '../../support/given/never-checked.ts'

export const SECRET = 'orbit-secret'
const DIGEST = `sha256:${'ab'.repeat(32)}`

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

export const edge: SourceConfig = {
  id: 'edge',
  format: 'pull-miss',
  registry: 'local',
  secrets: [SECRET, 'older-secret'],
}

const quay: SourceConfig = {
  id: 'quay',
  format: 'quay',
  registry: 'hq',
  secrets: ['path secret/%41', 'older-secret'],
}

const hqPush: SourceConfig = {
  id: 'hq-push',
  format: 'distribution',
  registry: 'hq',
  secrets: [SECRET],
}

export async function webhookSite(): Promise<WebhookSite> {
  const queue = new MemoryQueue()
  const log = new LineCollector()
  const metrics = createMetrics()
  const sources = new Map([edge, hqPush, quay].map((source) => [source.id, source]))
  const report = createReporter(
    createLogger({ level: 'debug', pretty: false, stream: log }),
    metrics,
  )
  const config = () => ({ sources, projects: [project], local: {}, upstreams: new Map() })
  const app = createApp()
  const webhook = openWebhook({ config, enqueuer: queue, checks: NEVER_CHECKED, report })
  app.use(webhook.router)
  app.use(notFound(), unexpectedErrors(report))
  const address = { host: '127.0.0.1', port: 0 }
  const server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
    address,
    configKey: 'listen',
  })
  return new WebhookSite({ queue, log, metrics, sources, server })
}

type Parts = Pick<WebhookSite, 'queue' | 'log' | 'metrics' | 'sources' | 'server'>

/** A webhook that listens, and a queue in memory behind it. */
export class WebhookSite implements AsyncDisposable {
  readonly queue: MemoryQueue
  readonly log: LineCollector
  readonly metrics: Metrics
  readonly sources: Map<string, SourceConfig>
  readonly server: HttpServer

  constructor({ queue, log, metrics, sources, server }: Parts) {
    this.queue = queue
    this.log = log
    this.metrics = metrics
    this.sources = sources
    this.server = server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop(0)
  }

  async post(
    source: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string | undefined>> = {},
  ) {
    const all: Record<string, string | undefined> = {
      authorization: `Bearer ${SECRET}`,
      ...headers,
    }
    const response = await fetch(`${this.server.url}/v1/events/${source}`, {
      method: 'POST',
      body,
      headers: Object.entries(all).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, value]],
      ),
    })
    const answer: unknown = await response.json()
    return { status: response.status, headers: response.headers, body: answer }
  }

  async get(path: string): Promise<number> {
    return (await fetch(this.server.url + path)).status
  }

  async exchange(sent: string): Promise<string> {
    const socket = connect(this.server.address.port, '127.0.0.1')
    socket.write(sent)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return chunk.toString()
  }
}

export function miss(changes: object = {}): string {
  return JSON.stringify({ repository: 'team/app', reference: '1.0', ...changes })
}

interface Push {
  readonly id?: string
  readonly action?: string
  readonly repository?: string
  readonly tag?: string
}

export function pushes(events: readonly Push[]): string {
  return JSON.stringify({
    events: events.map(({ id, action = 'push', repository = 'team/app', tag = '1.0' }) => ({
      id,
      action,
      target: {
        mediaType: 'application/vnd.oci.image.index.v1+json',
        ...{ repository, tag, digest: DIGEST },
      },
    })),
  })
}

/** The same contract as the real queue, which has tests of its own. */
class MemoryQueue implements Enqueuer {
  readonly requests: ReplicationRequest[] = []
  asked = 0
  away = false
  broken: Error | undefined
  #stored: Promise<void> = Promise.resolve()

  /** Nothing is stored until the returned function is called. */
  hold(): () => void {
    let release = () => {
      // Replaced at once.
    }
    this.#stored = new Promise((resolve) => {
      release = resolve
    })
    return () => {
      release()
    }
  }

  async offer(requests: readonly ReplicationRequest[]): Promise<readonly Enqueued[]> {
    this.asked += 1
    await this.#stored
    if (this.broken !== undefined) throw this.broken
    if (this.away) throw new QueueUnavailableError('queue jobs', new Error('connection lost'))
    return requests.map((request) => {
      const jobId = `${request.repository}:${request.reference}`
      const duplicate = this.requests.some(
        ({ repository, reference }) => `${repository}:${reference}` === jobId,
      )
      if (!duplicate) this.requests.push(request)
      return { jobId, duplicate }
    })
  }
}

class LineCollector extends Writable {
  #text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString()
    done()
  }

  lines(): string[] {
    return this.#text.split('\n').filter((line) => line !== '')
  }
}
