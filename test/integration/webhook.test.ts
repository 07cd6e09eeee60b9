import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../src/config/config.ts'
import { createApp } from '../../src/http/app.ts'
import { notFound, unexpectedErrors } from '../../src/http/error-handlers.ts'
import { type HttpServer, startHttpServer } from '../../src/http/server.ts'
import type { Project } from '../../src/policy/project.ts'
import type { Enqueued } from '../../src/queue/enqueued.ts'
import { QueueUnavailableError } from '../../src/pool/redis-errors.ts'
import type { ReplicationRequest } from '../../src/replication/request.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { createReporter } from '../../src/telemetry/reports/report.ts'
import type { Enqueuer } from '../../src/webhook/enqueuer.ts'
import { deliveriesFirst } from '../../src/webhook/deliveries-first.ts'
import { openWebhook } from '../../src/webhook/route.ts'
import { eventually } from '../support/eventually.ts'
import { NEVER_CHECKED } from '../support/never-checked.ts'

const MIB = 1024 * 1024
const SECRET = 'orbit-secret'
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

const edge: SourceConfig = {
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

describe('POST /v1/events/:source', () => {
  let queue: MemoryQueue
  let log: LineCollector
  let metrics: Metrics
  let sources: Map<string, SourceConfig>
  let server: HttpServer

  beforeEach(async () => {
    queue = new MemoryQueue()
    log = new LineCollector()
    metrics = createMetrics()
    sources = new Map([edge, hqPush, quay].map((source) => [source.id, source]))
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
    server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
      address,
      configKey: 'listen',
    })
  })

  afterEach(() => server.stop(0))

  it('queues what the delivery asks for and says how many', async () => {
    const answer = await post('edge', miss())

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })
    expect(queue.requests).toMatchObject([
      { repository: 'team/app', reference: '1.0', upstreams: ['hq'], trigger: 'miss' },
    ])
  })

  it.each(['edge', '%65dge', 'edge/', 'edge?from=here'])(
    'answers alike, plain or not, whatever stands in the path: %s',
    async (source) => {
      const taken = await post(source, miss())
      expect(taken.status).toBe(202)
      expect(taken.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(taken.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })

      const refused = await post(source, miss(), { authorization: 'Bearer wrong' })
      expect(refused.status).toBe(401)
      expect(JSON.stringify(refused.body)).toContain('source \\"edge\\"')
    },
  )

  it('answers 202 only when the queue holds the job', async () => {
    const stored = queue.hold()
    let answered = false
    const answer = post('edge', miss()).then((value) => {
      answered = true
      return value
    })
    await eventually(() => queue.asked === 1)
    await get('/nothing')
    expect(answered).toBe(false)

    stored()

    expect((await answer).status).toBe(202)
  })

  it('counts a second event of a delivery for the same image as a duplicate', async () => {
    const answer = await post('hq-push', pushes([{ id: 'a' }, { id: 'b' }, { tag: 'other' }]))

    expect(answer.body).toStrictEqual({ accepted: 2, ignored: 0, duplicates: 1 })
    expect(queue.requests.map(({ reference }) => reference)).toEqual(['1.0', 'other'])
  })

  it('counts what the queue already has as a duplicate', async () => {
    await post('edge', miss())

    const answer = await post('edge', miss())

    expect(answer.body).toStrictEqual({ accepted: 0, ignored: 0, duplicates: 1 })
  })

  it('answers 202 to events that nothing is done about, also while Redis is away', async () => {
    queue.away = true
    const body = pushes([{ action: 'pull' }, { action: 'pong' }, { repository: 'foreign/app' }])

    const answer = await post('hq-push', body)

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ accepted: 0, ignored: 3, duplicates: 0 })
  })

  it('reads the media types that JSON parsers do not know', async () => {
    for (const version of ['v1', 'v2']) {
      const type = `application/vnd.docker.distribution.events.${version}+json`
      const answer = await post('hq-push', pushes([{ tag: version }]), { 'content-type': type })
      expect(answer.body).toMatchObject({ accepted: 1 })
    }
  })

  it('reads bodies whatever charset their content type claims', async () => {
    const type = 'application/json; charset=utf-99'

    const answer = await post('edge', miss(), { 'content-type': type })

    expect(answer.body).toMatchObject({ accepted: 1 })
  })

  it.each([
    ['no secret at all', {}],
    ['a wrong secret', { authorization: 'Bearer wrong' }],
    ['an empty secret', { authorization: 'Bearer ' }],
    ['the secret in another header', { 'x-secret': SECRET }],
  ])('answers 401 to %s, and queues nothing', async (_, headers) => {
    const answer = await post('edge', 'no json either', { authorization: undefined, ...headers })

    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({ error: expect.stringContaining('edge') as string })
    expect(queue.asked).toBe(0)
  })

  it('takes the older of two secrets', async () => {
    const answer = await post('edge', miss(), { authorization: 'Bearer older-secret' })

    expect(answer.status).toBe(202)
  })

  it('answers 404 for an unknown source', async () => {
    for (const source of ['nobody', '__proto__', 'constructor', '..%2Fedge']) {
      const answer = await post(source, miss())
      expect(answer.status).toBe(404)
    }
    expect(queue.asked).toBe(0)
  })

  it('answers 404 for an unknown source before it reads the body', async () => {
    const head = `POST /v1/events/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n`

    const answer = await exchange(head)

    expect(answer).toContain('HTTP/1.1 404')
  })

  it('knows the sources of the configuration of this moment', async () => {
    sources.set('new', { ...edge, id: 'new' })
    expect((await post('new', miss())).status).toBe(202)

    sources.delete('new')
    expect((await post('new', miss())).status).toBe(404)
  })

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('answers 405 to %s', async (method) => {
    const answer = await fetch(`${server.url}/v1/events/edge`, { method })

    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST')
  })

  it.each([
    ['9 MiB', 'identity', Buffer.alloc(9 * MIB, ' '), '8388608 bytes'],
    ['9 MiB, packed well', 'gzip', gzipSync(Buffer.alloc(9 * MIB)), '100 times its size'],
    ['9 MiB, packed badly', 'gzip', gzipSync(randomBytes(9 * MIB)), '8388608 bytes'],
    ['99 KiB that were few bytes on the way', 'gzip', gzipSync(Buffer.alloc(99_999)), '100 times'],
  ])('answers 413 to a body of %s', async (_, encoding, body, reason) => {
    const answer = await post('edge', body, { 'content-encoding': encoding })

    expect(answer.status).toBe(413)
    expect(answer.body).toEqual({ error: expect.stringContaining(reason) as string })
  })

  it('takes a body of exactly 8 MiB', async () => {
    const body = miss()

    const answer = await post('edge', body.padEnd(8 * MIB))

    expect(answer.status).toBe(202)
  })

  it.each([
    ['gzip', gzipSync(miss())],
    ['deflate', deflateSync(miss())],
  ])('inflates %s', async (encoding, body) => {
    const answer = await post('edge', body, { 'content-encoding': encoding })

    expect(answer.body).toMatchObject({ accepted: 1 })
  })

  it('answers 400 to a gzip body that is cut off', async () => {
    const body = gzipSync(miss()).subarray(0, 20)

    const answer = await post('edge', body, { 'content-encoding': 'gzip' })

    expect(answer.status).toBe(400)
  })

  it('answers 415 to an encoding that it does not know', async () => {
    const answer = await post('edge', miss(), { 'content-encoding': 'rot13' })

    expect(answer.status).toBe(415)
  })

  it.each([
    ['an empty body', '', 'empty'],
    ['no JSON', 'hello', 'not valid JSON'],
    ['a truncated body', miss().slice(0, -5), 'not valid JSON'],
    ['a list', '[]', 'not a JSON object'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'UTF-8'],
    ['a wrong repository', miss({ repository: 'team/../etc' }), '"team/../etc"'],
    ['an upper-case repository', miss({ repository: 'Team/app' }), '"Team/app"'],
    ['a repository of 300 characters', miss({ repository: 'a'.repeat(300) }), '300 characters'],
    ['a wrong reference', miss({ reference: 'sha256:12' }), '"sha256:12"'],
    ['no reference', JSON.stringify({ repository: 'team/app' }), '"reference"'],
  ])('answers 422 to %s, with the reason', async (_, body, reason) => {
    const answer = await post('edge', body)

    expect(answer.status).toBe(422)
    expect(answer.body).toEqual({ error: expect.stringContaining(reason) as string })
    expect(queue.asked).toBe(0)
  })

  it('takes a malformed body from a sender that would repeat it for ever', async () => {
    const answer = await post('hq-push', '{"events":7}')

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ malformed: true, reason: '"events" is not a list' })
    expect(await metrics.render()).toContain(
      'pullsync_deliveries_malformed_total{source="hq-push"} 1',
    )
    expect(log.lines()).toContainEqual(expect.stringContaining('delivery malformed'))
  })

  it('answers 503 while Redis is away, and takes the repetition when it is back', async () => {
    queue.away = true
    const refused = await post('edge', miss())
    queue.away = false
    const taken = await post('edge', miss())

    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.body).toEqual({ error: expect.any(String) as string })
    expect(taken.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })
  })

  it('answers 500 without details to what nobody expected, and logs them', async () => {
    queue.broken = new Error('a detail')

    const answer = await post('edge', miss())

    expect(answer.status).toBe(500)
    expect(JSON.stringify(answer.body)).not.toContain('a detail')
    expect(log.lines()).toContainEqual(expect.stringContaining('a detail'))
  })

  it('answers 400 to a path that does not decode', async () => {
    expect((await post('%E0%A4%A', miss())).status).toBe(400)
  })

  it('keeps the request id of the sender and makes one where there is none', async () => {
    const given = await post('edge', miss(), { 'x-request-id': 'orbit-17' })
    const insane = await post('edge', miss(), { 'x-request-id': 'x'.repeat(500) })

    expect(given.headers.get('x-request-id')).toBe('orbit-17')
    expect(queue.requests[0]?.eventId).toBe('orbit-17')
    expect(insane.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('outlives a sender that goes away in the middle of the body', async () => {
    const socket = connect(server.address.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST /v1/events/edge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${SECRET}\r\nContent-Length: 1000\r\n\r\n{"repo`,
    )
    socket.destroy()
    await eventually(() => log.lines().some((line) => line.includes('"status":400')))

    expect((await post('edge', miss())).status).toBe(202)
    expect(queue.requests).toHaveLength(1)
  })

  it('counts deliveries, events and jobs, and never names what is not configured', async () => {
    await post('edge', miss())
    await post('edge', miss({ repository: 'foreign/app' }))
    await post('made-up', miss())

    const text = await metrics.render()
    expect(text).toContain('pullsync_deliveries_total{source="edge",status="202"} 2')
    expect(text).toContain('pullsync_deliveries_total{source="unknown",status="404"} 1')
    expect(text).toContain('pullsync_events_received_total{source="edge",action="miss"} 2')
    expect(text).toContain(
      'pullsync_events_ignored_total{source="edge",reason="unknown-project"} 1',
    )
    expect(text).toContain('pullsync_jobs_enqueued_total{upstream="hq",trigger="miss"} 1')
    expect(text).not.toContain('made-up')
  })

  it('logs neither secrets nor credentials', async () => {
    await post('edge', miss())
    await post('edge', miss(), { authorization: 'Bearer guessed-it' })

    expect(log.lines().length).toBeGreaterThan(0)
    expect(log.lines().join('\n')).not.toMatch(/orbit-secret|guessed-it/)
  })

  describe('a secret in the path', () => {
    const pushed = JSON.stringify({ repository: 'team/app', updated_tags: ['1.0'] })
    const none = { authorization: undefined }

    it.each([
      ['the secret', 'path%20secret%2F%2541', 202],
      ['the older one', 'older-secret', 202],
      ['another', 'guessed-it', 401],
      ['one that is not decoded', 'path secret/%41', 404],
      ['an empty one', '', 401],
    ])('%s (%s) is answered %i', async (_, secret, status) => {
      const answer = await post(`quay/${secret}`, pushed, none)

      expect(answer.status).toBe(status)
      expect(queue.requests).toHaveLength(status === 202 ? 1 : 0)
    })

    it('is looked at only for formats that need it', async () => {
      const answer = await post(`edge/${SECRET}`, miss(), none)

      expect(answer.status).toBe(404)
      expect(answer.body).toEqual({ error: expect.stringContaining('pull-miss') as string })
      expect(queue.asked).toBe(0)
    })

    it('gets into no log and no answer, also when something breaks', async () => {
      await post('quay/guessed-it', pushed, none)
      await post('nobody/guessed-it', pushed, none)
      await post('quay/guessed-it%E0%A4%A', pushed, none)
      await post('quay/older-secret', '{', none)
      queue.broken = new Error('a detail')
      const answer = await post('quay/older-secret', pushed, none)

      expect(answer.status).toBe(500)
      expect(log.lines()).toContainEqual(expect.stringContaining('/v1/events/quay/***'))
      expect(log.lines().join('\n') + JSON.stringify(answer.body)).not.toMatch(
        /guessed-it|older-secret/,
      )
    })
  })

  async function post(
    source: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string | undefined>> = {},
  ) {
    const all: Record<string, string | undefined> = {
      authorization: `Bearer ${SECRET}`,
      ...headers,
    }
    const response = await fetch(`${server.url}/v1/events/${source}`, {
      method: 'POST',
      body,
      headers: Object.entries(all).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, value]],
      ),
    })
    const answer: unknown = await response.json()
    return { status: response.status, headers: response.headers, body: answer }
  }

  async function get(path: string): Promise<number> {
    return (await fetch(server.url + path)).status
  }

  async function exchange(sent: string): Promise<string> {
    const socket = connect(server.address.port, '127.0.0.1')
    socket.write(sent)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return chunk.toString()
  }
})

function miss(changes: object = {}): string {
  return JSON.stringify({ repository: 'team/app', reference: '1.0', ...changes })
}

interface Push {
  readonly id?: string
  readonly action?: string
  readonly repository?: string
  readonly tag?: string
}

function pushes(events: readonly Push[]): string {
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
