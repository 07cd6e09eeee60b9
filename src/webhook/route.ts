import { randomUUID } from 'node:crypto'
import { type Request, type Response, Router } from 'express'
import type { Config, RegistryConfig, SourceConfig } from '../config/config.ts'
import type { Delivery } from '../events/delivery.ts'
import type { Format } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import { saneId } from '../events/told.ts'
import type { Project } from '../policy/project.ts'
import type { WebhookReporter } from '../telemetry/report-webhook.ts'
import { readBody } from './body.ts'
import type { Enqueuer } from './enqueuer.ts'
import { type Checks, receive } from './receive.ts'
import { NOT_ASKED, permission } from './permission.ts'
import { refusal, type Reply } from './reply.ts'
import { SigningKeys } from './signing-keys.ts'

/** What of the configuration the webhook needs. */
export interface WebhookConfig extends Pick<Config, 'sources'> {
  readonly projects: readonly Project[]
  readonly local: Account
  readonly upstreams: ReadonlyMap<string, Account>
}

type Account = Pick<RegistryConfig, 'username'>

export interface WebhookDeps {
  /** Asked anew for every delivery, so that a reload takes effect at once. */
  readonly config: () => WebhookConfig
  readonly enqueuer: Enqueuer
  readonly checks: Checks
  readonly report: WebhookReporter
}

interface RouteDeps extends WebhookDeps {
  readonly keys: SigningKeys
}

// A name out of a request is no metrics label: anybody could make up as many as they like.
const UNKNOWN_SOURCE = 'unknown'

/** `POST /v1/events/:source`, and `/v1/events/:source/:secret` for formats that need it. */
export function webhookRoutes(webhook: WebhookDeps): Router {
  const deps = { ...webhook, keys: new SigningKeys() }
  const router = Router({ caseSensitive: true })
  router
    .route('/v1/events/:source{/:secret}')
    .post((request, response) => answerDelivery(request, response, deps))
    .options((request, response) => {
      const { source, secret } = request.params
      if (secret !== undefined) hidePathSecret(request, source)
      const question = deliveryOf(request, { body: Buffer.alloc(0), pathSecret: secret })
      send(response, permission(question, deps.config().sources.get(source)))
    })
    .all((_request, response) => {
      send(response, NOT_ASKED)
    })
  return router
}

async function answerDelivery(
  request: Request<{ source: string; secret?: string }>,
  response: Response,
  deps: RouteDeps,
): Promise<void> {
  const startedAt = performance.now()
  const requestId = saneId(request.get('x-request-id')) ?? randomUUID()
  response.setHeader('X-Request-Id', requestId)
  const config = deps.config()
  const { source: id, secret: pathSecret } = request.params
  if (pathSecret !== undefined) hidePathSecret(request, id)
  const source = config.sources.get(id)
  const reply =
    source === undefined
      ? refusal(404, 'there is no such source in the configuration')
      : await replyTo({ request, response, requestId, source, pathSecret }, config, deps)
  send(response, reply)
  deps.report.deliveryAnswered({
    source: source?.id ?? UNKNOWN_SOURCE,
    requestId,
    status: reply.status,
    durationMs: performance.now() - startedAt,
  })
}

interface Incoming {
  readonly request: Request
  readonly response: Response
  readonly requestId: string
  readonly source: SourceConfig
  readonly pathSecret: string | undefined
}

// Whoever reports a failure of this request names its path.
function hidePathSecret(request: Request, source: string): void {
  request.url = `/v1/events/${encodeURIComponent(source)}/***`
}

async function replyTo(
  { request, response, requestId, source, pathSecret }: Incoming,
  config: WebhookConfig,
  { enqueuer, checks, report, keys }: RouteDeps,
): Promise<Reply> {
  const format: Format = FORMATS[source.format]
  if (pathSecret !== undefined && !('secretInPath' in format)) {
    const error = `sources of format ${source.format} prove themselves in a header, not in the path`
    return refusal(404, error)
  }
  const body = await readBody(request, response)
  if (!Buffer.isBuffer(body)) return body
  const delivery = deliveryOf(request, { body, requestId, pathSecret })
  const account = accountAt(source.registry, config)
  const { projects } = config
  return receive(delivery, source, { projects, account, enqueuer, checks, report, keys })
}

interface Received {
  readonly body: Buffer
  readonly requestId?: string
  readonly pathSecret: string | undefined
}

function deliveryOf(request: Request, { body, requestId = '', pathSecret }: Received): Delivery {
  return {
    headers: firstHeaders(request),
    body,
    requestId,
    ...(pathSecret !== undefined && { pathSecret }),
  }
}

function accountAt(registry: string, { local, upstreams }: WebhookConfig): string | undefined {
  return registry === 'local' ? local.username : upstreams.get(registry)?.username
}

// Not `headersDistinct`: that takes an array for each header, at thousands of deliveries a second.
function firstHeaders({ rawHeaders }: Request): Delivery['headers'] {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers[rawHeaders[at]?.toLowerCase() ?? ''] ??= rawHeaders[at + 1] ?? ''
  }
  return headers
}

function send(response: Response, { status, body, headers = {} }: Reply): void {
  response.status(status).set(headers).json(body)
}
