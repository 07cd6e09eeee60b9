import { Writable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../src/config/config.ts'
import type { Delivery } from '../../src/events/delivery.ts'
import { FORMATS, type FormatName } from '../../src/events/formats.ts'
import { createApp } from '../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../src/http/server.ts'
import type { Project } from '../../src/policy/project.ts'
import { parsePayload } from '../../src/queue/payload.ts'
import { ReplicationQueues } from '../../src/queue/queues.ts'
import { TagChecks } from '../../src/pool/tag-checks.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { createReporter } from '../../src/telemetry/reports/report.ts'
import type { Checks } from '../../src/webhook/receive.ts'
import { deliveriesFirst } from '../../src/webhook/deliveries-first.ts'
import { openWebhook } from '../../src/webhook/route.ts'
import { deliveryOf, readFixture } from '../fixtures/read-fixtures.ts'
import { PROOFS, proven } from '../fixtures/senders.ts'
import { MISS_LIMITS } from '../support/miss-limits.ts'
import { eventually } from '../support/eventually.ts'
import { type KeyService, startKeyService } from '../support/key-service.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const SECRET = 'orbit/secret %41'
const A = `sha256:${'a1'.repeat(32)}`

interface Row {
  readonly format: FormatName
  readonly push: string
  /** A push of what an index lists, told by digest. */
  readonly child?: string
  readonly digest?: string
}

const ROWS: readonly Row[] = [
  { format: 'harbor', push: 'push-tag-default', child: 'push-digest-default', digest: A },
  { format: 'harbor', push: 'push-tag-cloudevents', child: 'push-digest-default', digest: A },
  { format: 'zot', push: 'image-updated', child: 'image-updated-child', digest: A },
  { format: 'quay', push: 'repo-push-older' },
  { format: 'dockerhub', push: 'push' },
  { format: 'github', push: 'package-published', child: 'package-published-child', digest: A },
  { format: 'github', push: 'registry-package-published', digest: A },
  { format: 'gitlab', push: 'push-tag-v1', digest: A },
  { format: 'gitlab', push: 'push-tag-v2', digest: A },
  { format: 'gitea', push: 'package-created', child: 'package-created-digest' },
  { format: 'acr', push: 'push', child: 'push-digest', digest: A },
  { format: 'acr', push: 'event-grid-cloudevents-pushed', child: 'push-digest', digest: A },
  { format: 'ecr', push: 'push', child: 'push-digest', digest: A },
  { format: 'gar', push: 'insert-tag', child: 'insert-digest', digest: A },
  { format: 'gar', push: 'insert-tag-unwrapped', child: 'insert-digest', digest: A },
  { format: 'artifactory', push: 'pushed', child: 'pushed-digest', digest: A },
  { format: 'nexus', push: 'component-created', child: 'asset-created-manifest-digest' },
  { format: 'cloudevents', push: 'binary-pushed', digest: A },
  { format: 'cloudevents', push: 'structured-pushed', digest: A },
  { format: 'distribution', push: 'push-index-tag', child: 'push-manifest-by-digest' },
]

const CHILDREN = ROWS.flatMap((row) =>
  row.child === undefined ? [] : [{ ...row, child: row.child }],
)

/** By a tag that lists them, or with the manifest's text. */
const TELLS_OF_REFERRERS: ReadonlySet<FormatName> = new Set(['distribution', 'gitea', 'zot'])

type Body = Record<string, unknown>

interface Several {
  readonly format: FormatName
  readonly push: string
  /** Makes a second tag of the fixture's one, where it does not name two itself. */
  readonly again?: (body: Body) => unknown
  readonly digest?: string
}

/** Deliveries that name two tags, `2.4` and `latest`, of one digest. */
const SEVERAL: readonly Several[] = [
  { format: 'quay', push: 'repo-push' },
  { format: 'acr', push: 'event-grid-pushed', digest: A },
  { format: 'ecr', push: 'batch', digest: A },
  { format: 'harbor', push: 'push-tag-default', again: secondResource, digest: A },
  { format: 'distribution', push: 'push-index-tag', again: secondEvent },
  { format: 'gitlab', push: 'push-tag-v2', again: secondEvent, digest: A },
  { format: 'zot', push: 'image-updated-structured', again: batchOf('reference'), digest: A },
  { format: 'cloudevents', push: 'structured-pushed', again: batchOf('tag'), digest: A },
]

const DELETES = [
  ['distribution', 'delete-tag'],
  ['harbor', 'delete-tag-default'],
  ['harbor', 'delete-tag-cloudevents'],
  ['zot', 'image-deleted'],
  ['gitlab', 'delete-tag'],
  ['gitea', 'package-deleted'],
  ['ecr', 'delete'],
  ['gar', 'delete-tag'],
  ['artifactory', 'deleted'],
  ['nexus', 'component-deleted'],
  ['cloudevents', 'structured-subject'],
] as const

/** Nobody can tell whether what is gone was a manifest or a blob of it: the worker sees. */
const DELETES_BY_DIGEST = [
  ['distribution', 'delete-blob'],
  ['distribution', 'delete-manifest'],
  ['acr', 'delete'],
  ['acr', 'event-grid-deleted'],
] as const

const OWN_ACCOUNT = 'robot$orbit+pullsync'
const OWN_AGENT = 'pullsync/1.2.3 (worker)'

/** What a fixture says about who did it, and what it says when that is pullsync. */
const OWN = [
  ['distribution', 'push-index-tag', 'flight-engineer', OWN_ACCOUNT],
  ['distribution', 'push-index-tag', 'skopeo/1.9.3', OWN_AGENT],
  ['distribution', 'push-manifest-by-digest', 'skopeo/1.9.3', OWN_AGENT],
  ['distribution', 'pull-manifest-tag-head', 'capture-client/1.0', OWN_AGENT],
  ['distribution', 'pull-manifest-tag-head', 'flight-engineer', OWN_ACCOUNT],
  ['distribution', 'pull-manifest-digest', 'capture-client/1.0', OWN_AGENT],
  ['gitlab', 'push-tag-v1', 'flight-engineer', OWN_ACCOUNT],
  ['harbor', 'push-tag-default', 'robot$orbit+ci', OWN_ACCOUNT],
  ['harbor', 'push-tag-cloudevents', 'robot$orbit+ci', OWN_ACCOUNT],
  ['harbor', 'pull-digest-default', 'anonymous', OWN_ACCOUNT],
  ['zot', 'image-updated', 'skopeo/1.9.3', OWN_AGENT],
  ['zot', 'image-updated', '"ci"', JSON.stringify(OWN_ACCOUNT)],
  ['acr', 'push', 'docker/24.0.5', OWN_AGENT],
  ['gitea', 'package-created', 'flight-engineer', OWN_ACCOUNT],
  ['github', 'package-published', 'flight-engineer', OWN_ACCOUNT],
  ['dockerhub', 'push', 'flightengineer', OWN_ACCOUNT],
  ['nexus', 'component-created', 'flight-engineer', OWN_ACCOUNT],
  ['artifactory', 'pushed', 'flight-engineer', OWN_ACCOUNT],
  ['cloudevents', 'structured-pushed', '"ci"', JSON.stringify(OWN_ACCOUNT)],
] as const

const REPOSITORIES: Readonly<Partial<Record<FormatName, string>>> = {
  harbor: 'orbit/deep/probe',
  artifactory: 'orbit-local/deep/probe',
  gar: 'lab/orbit/probe',
  distribution: 'orbit/lander',
}

describe('the events of every format, through the webhook into the queue', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let server: HttpServer
  let keyService: KeyService
  let metrics: Metrics
  let onUpstreamDelete: Project['onUpstreamDelete'] = 'keep'
  let upstream = 'none'
  let tests = 0
  let checks: TagChecks

  beforeAll(async () => {
    redis = await startRedis()
    keyService = await startKeyService()
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: [],
      jobs: {
        ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
        keepCompleted: { ageMs: 60_000, count: 100 },
        keepFailed: { ageMs: 60_000, count: 100 },
      },
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await queues.ping()
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done()
      },
    })
    const logger = createLogger({ level: 'error', pretty: false, stream })
    metrics = createMetrics()
    const report = createReporter(logger, metrics)
    const config = () => ({
      sources: sourcesOf(upstream, keyService.keysUrl),
      projects: [{ ...projectOf(upstream), onUpstreamDelete }],
      local: { username: OWN_ACCOUNT },
      upstreams: new Map(),
    })
    const app = createApp()
    const ofThisTest: Checks = {
      due: (request, withinMs) => checks.due(request, withinMs),
      forget: (request) => checks.forget(request),
      noteDeletion: (cause) => checks.noteDeletion(cause),
      isPartOfDeletion: (cause) => checks.isPartOfDeletion(cause),
    }
    const webhook = openWebhook({ config, enqueuer: queues, checks: ofThisTest, report })
    app.use(webhook.router)
    const address = { host: '127.0.0.1', port: 0 }
    server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
      address,
      configKey: 'listen',
    })
  })

  afterAll(async () => {
    await server.stop(0)
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
    await keyService[Symbol.asyncDispose]()
  })

  // A queue of its own for each test, and nothing that was looked at before.
  beforeEach(async () => {
    const looked = await queues.redis.keys('pullsync:checked:*')
    await queues.redis.del('none', ...looked)
    checks = new TagChecks(queues.redis)
    tests += 1
    onUpstreamDelete = 'keep'
    upstream = `up-${tests}`
    queues.configure([upstream], {
      jobs: {
        ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 100 },
        keepCompleted: { ageMs: 60_000, count: 100 },
        keepFailed: { ageMs: 60_000, count: 100 },
      },
      misses: MISS_LIMITS,
    })
  })

  it.each(ROWS)('$format: $push is one job', async ({ format, push, digest }) => {
    const answer = await post(format, push)

    expect(answer).toEqual({ status: 202, body: { accepted: 1, ignored: 0, duplicates: 0 } })
    const [job, ...others] = await jobs()
    expect(others).toEqual([])
    expect(job?.data).toMatchObject({
      repository: REPOSITORIES[format] ?? 'orbit/probe',
      reference: '2.4',
      trigger: 'push',
      ...(digest !== undefined && { announcedDigest: digest }),
    })
  })

  it.each(ROWS)('$format: $push ten times, or under ten ids, is one job', async (row) => {
    const same = Array.from({ length: 10 }, () => post(row.format, row.push))
    const others = Array.from({ length: 10 }, (_, number) =>
      post(row.format, row.push, (text, id) => text.replaceAll(id, `${id}-${number}`)),
    )

    const answers = await Promise.all([...same, ...others])

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202))
    expect(await jobs()).toHaveLength(1)
  })

  it.each(CHILDREN.filter(({ format }) => TELLS_OF_REFERRERS.has(format)))(
    '$format: children before $push are no jobs of their own',
    async ({ format, push, child }) => {
      const before = await ignored(format, 'nothing-named')
      const first = await post(format, child)
      const second = await post(format, child, (text) => text.replaceAll('a1', 'd4'))
      await post(format, push)

      expect([first.body, second.body]).toEqual(
        Array(2).fill({ accepted: 0, ignored: 1, duplicates: 0 }),
      )
      expect(await ignored(format, 'nothing-named')).toBe(before + 2)
      expect(await jobs()).toMatchObject([{ data: { reference: '2.4' } }])
    },
  )

  it('gitea: an index of four children, told of in five deliveries in any order, is one job', async () => {
    const child = (byte: string) =>
      post('gitea', 'package-created-digest', (text) => text.replaceAll('a1', byte))

    await Promise.all([child('c1'), child('c2'), post('gitea', 'package-created'), child('c3')])
    await child('c4')

    expect(await jobs()).toMatchObject([{ data: { reference: '2.4', trigger: 'push' } }])
  })

  it.each(CHILDREN.filter(({ format }) => !TELLS_OF_REFERRERS.has(format)))(
    '$format: what $child names may refer to an image, and is looked at once',
    async ({ format, child }) => {
      const before = await ignored(format, 'fresh')

      const answers = [await post(format, child), await post(format, child)]

      expect(answers.map(({ body }) => body)).toEqual([
        { accepted: 1, ignored: 0, duplicates: 0 },
        { accepted: 0, ignored: 1, duplicates: 0 },
      ])
      expect(await ignored(format, 'fresh')).toBe(before + 1)
      expect(await jobs()).toMatchObject([
        {
          data: {
            reference: expect.stringMatching(/^sha256:/) as string,
            ...{ trigger: 'revalidate', onlyIfPresent: true },
          },
        },
      ])
    },
  )

  it.each(SEVERAL)(
    '$format: each of the tags in one delivery is a job, which knows its digest',
    async ({ format, push, again, digest }) => {
      const answer = await post(format, push, ofBody(again))

      expect(answer).toEqual({ status: 202, body: { accepted: 2, ignored: 0, duplicates: 0 } })
      const requests = (await jobs()).map(({ data }) => data)
      expect(requests.map(({ reference }) => reference).toSorted()).toEqual(['2.4', 'latest'])
      const known = digest ?? (format === 'distribution' && (expect.any(String) as string))
      for (const { announcedDigest } of requests) {
        if (known !== false) expect(announcedDigest).toEqual(known)
      }
    },
  )

  it.each(DELETES)('%s: %s in the local registry fetches and removes nothing', async (...of) => {
    const [format, name] = of
    onUpstreamDelete = 'delete'
    const source = `local-${format}`
    const before = await ignored(source, 'delete')

    expect(await post(format, name, undefined, source)).toEqual(IGNORED)

    expect(await ignored(source, 'delete')).toBe(before + 1)
    expect(await jobs()).toEqual([])
  })

  it.each(DELETES)(
    '%s: %s upstream asks to remove the tag, where that is wanted',
    async (...of) => {
      const [format, name] = of
      expect(await post(format, name)).toEqual(IGNORED)
      onUpstreamDelete = 'delete'

      expect(await post(format, name)).toMatchObject({ body: { accepted: 1 } })

      expect(await jobs()).toMatchObject([{ data: { trigger: 'delete', onlyIfPresent: true } }])
    },
  )

  it.each(DELETES_BY_DIGEST)(
    '%s: %s upstream asks to remove what has that digest, where that is wanted',
    async (...of) => {
      const [format, name] = of
      expect(await post(format, name)).toEqual(IGNORED)
      onUpstreamDelete = 'delete'

      expect(await post(format, name)).toMatchObject({ body: { accepted: 1 } })

      const reference = expect.stringMatching(/^sha256:/) as string
      expect(await jobs()).toMatchObject([{ data: { trigger: 'delete', reference } }])
    },
  )

  it('distribution: a deletion by digest is one job, with the tags that went with it', async () => {
    onUpstreamDelete = 'delete'
    const event = (id: string, target: object) => ({
      ...{ id, action: 'delete', request: { id: 'request-7', method: 'DELETE' } },
      target: { repository: 'orbit/probe', ...target },
    })
    const digest = event('e1', { digest: A })
    const tags = ['2.4', 'latest', 'edge'].map((tag) => event(tag, { tag, digest: '' }))
    const [first, ...later] = tags
    const send = (...events: object[]) =>
      post('distribution', 'delete-tag', () => JSON.stringify({ events }))

    const atOnce = await send(digest, first ?? {})
    const afterwards = [await send(...later.slice(0, 1)), await send(...later.slice(1))]
    const another = await send({ ...first, id: 'e9', request: { id: 'request-8' } })

    expect(atOnce.body).toEqual({ accepted: 1, ignored: 1, duplicates: 0 })
    expect(afterwards.map(({ body }) => body)).toEqual(
      Array(2).fill({ accepted: 0, ignored: 1, duplicates: 0 }),
    )
    expect(another.body).toEqual({ accepted: 1, ignored: 0, duplicates: 0 })
    expect(await jobs()).toHaveLength(2)
  })

  it.each(OWN)('%s: %s is dropped where not %j did it but %j', async (...of) => {
    const [format, name, somebody, pullsync] = of
    const source = `local-${format}`
    const before = await ignored(source, 'own-activity')
    await post(format, name, undefined, source)
    expect(await ignored(source, 'own-activity')).toBe(before)
    const made = await jobs()

    const answer = await post(format, name, (text) => text.replaceAll(somebody, pullsync), source)

    expect(answer).toEqual(IGNORED)
    expect(await ignored(source, 'own-activity')).toBe(before + 1)
    expect(await jobs()).toHaveLength(made.length)
  })

  it('a pull by tag that somebody else made at the local registry is a look upstream', async () => {
    const [format, name] = ['distribution', 'pull-manifest-tag-head'] as const

    // Another repository, because what was looked up lately is not looked up again.
    const ofAnother = (text: string) => text.replaceAll('orbit/probe', 'orbit/looked-at')

    expect(await post(format, name, ofAnother, `local-${format}`)).toMatchObject({
      body: { accepted: 1 },
    })
    expect(await jobs()).toMatchObject([
      {
        data: { repository: 'orbit/looked-at', trigger: 'revalidate', onlyIfPresent: true },
      },
    ])
  })

  it.each([
    ['github', 'ping'],
    ['acr', 'ping'],
    ['gitea', 'push-of-commits'],
    ['quay', 'build-success'],
    ['harbor', 'quota-warned-default'],
  ] as const)('%s: %s is taken, and nothing is done', async (format, name) => {
    expect(await post(format, name)).toEqual({
      status: 202,
      body: { accepted: 0, ignored: 1, duplicates: 0 },
    })
  })

  it('answers 401 to a token for another receiver, and 503 while the keys cannot be had', async () => {
    const delivery = deliveryOf(readFixture('insert-tag', 'gar'))
    const withToken = async (aud: string) => {
      const token = await keyService.token({ ...TOKEN, aud, iss: 'accounts.google.com' })
      const headers = { authorization: `Bearer ${token}` }
      const url = `${server.url}/v1/events/gar-apart`
      const { status } = await fetch(url, { method: 'POST', body: delivery.body, headers })
      return status
    }

    keyService.answerWith((_request, response) => response.writeHead(500).end())
    expect(await withToken(TOKEN.aud)).toBe(503)
    keyService.answerWith(undefined)
    expect(await withToken('another')).toBe(503)
    expect(await jobs()).toEqual([])
    await eventually(async () => (await withToken('another')) === 401)
    expect(await withToken(TOKEN.aud)).toBe(202)
  })

  it('gives Event Grid the code that it waits for', async () => {
    expect(await post('acr', 'event-grid-validation')).toEqual({
      status: 200,
      body: { validationResponse: '5E1F-C0DE' },
    })
  })

  it.each([
    ['cloudevents', SECRET, 200],
    ['cloudevents', 'wrong', 401],
    ['acr', SECRET, 200],
    ['harbor', SECRET, 405],
    ['nobody', SECRET, 405],
  ])(
    'answers a sender of %s that asks whether it may send, with %s: %i',
    async (id, secret, status) => {
      const response = await fetch(`${server.url}/v1/events/${id}`, {
        method: 'OPTIONS',
        headers: { 'webhook-request-origin': 'events.example', authorization: `Bearer ${secret}` },
      })

      expect(response.status).toBe(status)
      expect(response.headers.get('webhook-allowed-origin')).toBe(
        status === 200 ? 'events.example' : null,
      )
    },
  )

  it('answers Event Grid, which asks with the secret in the path', async () => {
    const ask = async (secret: string) => {
      const url = `${server.url}/v1/events/acr/${encodeURIComponent(secret)}`
      const headers = { 'webhook-request-origin': 'eventgrid.example' }
      return (await fetch(url, { method: 'OPTIONS', headers })).status
    }

    expect(await ask(SECRET)).toBe(200)
    expect(await ask('wrong')).toBe(401)
  })

  it.each([
    ['harbor', 422],
    ['zot', 422],
    ['quay', 202],
    ['dockerhub', 422],
    ['github', 422],
    ['gitlab', 202],
    ['gitea', 422],
    ['acr', 422],
    ['ecr', 422],
    ['gar', 202],
    ['artifactory', 422],
    ['nexus', 422],
    ['cloudevents', 422],
    ['distribution', 202],
  ] as const)('%s: a malformed body is answered %i', async (format, status) => {
    const answer = await send(format, deliveryOf({ headers: {}, body: '7' }))

    expect(answer.status).toBe(status)
    expect(answer.body).toHaveProperty(status === 202 ? 'reason' : 'error')
  })

  async function post(
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
    return await send(format, changedDelivery, source)
  }

  async function send(format: FormatName, delivery: Delivery, source: string = format) {
    const { headers, body, pathSecret } = await fromSender(format, delivery)
    const path = pathSecret === undefined ? '' : `/${encodeURIComponent(pathSecret)}`
    const response = await fetch(`${server.url}/v1/events/${source}${path}`, {
      method: 'POST',
      body,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        value === undefined || HOP_BY_HOP.includes(name) ? [] : [[name, value]],
      ),
    })
    const answer: unknown = await response.json()
    return { status: response.status, body: answer }
  }

  async function fromSender(format: FormatName, delivery: Delivery): Promise<Delivery> {
    if (format !== 'gar') {
      return proven(delivery, { proof: PROOFS[format][0], secret: SECRET })
    }
    const token = await keyService.token({ iss: 'accounts.google.com', ...TOKEN })
    return { ...delivery, headers: { ...delivery.headers, authorization: `Bearer ${token}` } }
  }

  /** How many events of the source were ignored for this reason so far. */
  async function ignored(source: string, reason: string): Promise<number> {
    const line = `pullsync_events_ignored_total{source="${source}",reason="${reason}"} `
    const text = await metrics.render()
    return Number(
      text
        .split('\n')
        .find((each) => each.startsWith(line))
        ?.slice(line.length) ?? 0,
    )
  }

  async function jobs() {
    const found = await queues.of(upstream).getJobs(['prioritized', 'waiting', 'delayed', 'active'])
    return found.map((job) => {
      const request = parsePayload(job, upstream)
      if (!request.ok) throw new Error(request.reason)
      return { opts: job.opts, data: request.value }
    })
  }
})

const IGNORED = { status: 202, body: { accepted: 0, ignored: 1, duplicates: 0 } }

/** Changes a body that is JSON, and no header. */
function ofBody(change: ((body: Body) => unknown) | undefined) {
  return (text: string): string =>
    change !== undefined && text.startsWith('{')
      ? JSON.stringify(change(JSON.parse(text) as Body))
      : text
}

function secondResource(body: Body): Body {
  const data = body['event_data'] as { resources: readonly object[] }
  const resources = [...data.resources, { ...data.resources[0], tag: 'latest' }]
  return { ...body, event_data: { ...data, resources } }
}

function secondEvent(body: Body): Body {
  const events = body['events'] as readonly { id: string; target: object }[]
  const again = events.map(({ id, target, ...event }) => ({
    ...event,
    id: `${id}-2`,
    target: { ...target, tag: 'latest' },
  }))
  return { ...body, events: [...events, ...again] }
}

/** What a bridge makes of two CloudEvents. */
function batchOf(key: string) {
  return (body: Body): readonly Body[] => [
    { ...body, data: { ...(body['data'] as object), digest: A } },
    { ...body, id: 'second', data: { ...(body['data'] as object), [key]: 'latest', digest: A } },
  ]
}

const HOP_BY_HOP = ['host', 'content-length']

const TOKEN = { aud: 'orbit', email: 'push@lab.example' }

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
