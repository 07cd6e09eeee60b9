import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config, RegistryConfig, SourceConfig } from '../config/config.ts'
import type { DeliveryHead } from '../events/delivery.ts'
import type { Format } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import { saneId } from '../events/sender-text.ts'
import { sendJson } from '../http/send-json.ts'
import type { Project } from '../policy/project.ts'
import type { WebhookReporter } from '../telemetry/reports/report-webhook.ts'
import type { BodiesInFlight, BodyInFlight } from './bodies-in-flight.ts'
import { NO_ROOM, readBody } from './body.ts'
import type { Enqueuer } from './enqueuer.ts'
import { inflated } from './inflate.ts'
import { notProven, proveHead } from './prove.ts'
import { type Checks, receive } from './receive.ts'
import { refusal, type Reply } from './reply.ts'
import type { SigningKeys } from './signing-keys.ts'

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

export interface DeliveryDeps extends WebhookDeps {
  readonly keys: SigningKeys
  readonly bodies: BodiesInFlight
}

// A name out of a request is no metrics label: anybody could make up as many as they like.
const UNKNOWN_SOURCE = 'unknown'

/** Whom a delivery's path names, and what proves it there. */
export interface Addressed {
  readonly source: string
  readonly secret?: string | undefined
  readonly deps: DeliveryDeps
}

/** Answers one delivery in whatever way; what it asks for is in the queue when that is 202. */
export async function answerDelivery(
  request: IncomingMessage,
  response: ServerResponse,
  { source: id, secret: pathSecret, deps }: Addressed,
): Promise<void> {
  const startedAt = performance.now()
  const requestId = saneId(headerOf(request, 'x-request-id')) ?? randomUUID()
  response.setHeader('X-Request-Id', requestId)
  const config = deps.config()
  if (pathSecret !== undefined) hidePathSecret(request, id)
  const source = config.sources.get(id)
  const reply =
    source === undefined
      ? refusal(404, 'there is no such source in the configuration')
      : await replyTo({ request, requestId, source, pathSecret }, config, deps)
  send(response, reply)
  deps.report.deliveryAnswered({
    source: source?.id ?? UNKNOWN_SOURCE,
    requestId,
    status: reply.status,
    durationMs: performance.now() - startedAt,
  })
}

interface Incoming {
  readonly request: IncomingMessage
  readonly requestId: string
  readonly source: SourceConfig
  readonly pathSecret: string | undefined
}

// Whoever reports a failure of this request names its path.
export function hidePathSecret(request: IncomingMessage, source: string): void {
  request.url = `/v1/events/${encodeURIComponent(source)}/***`
}

async function replyTo(
  incoming: Incoming,
  config: WebhookConfig,
  deps: DeliveryDeps,
): Promise<Reply> {
  const { source, pathSecret } = incoming
  const format: Format = FORMATS[source.format]
  if (pathSecret !== undefined && !('secretInPath' in format)) {
    const error = `sources of format ${source.format} prove themselves in a header, not in the path`
    return refusal(404, error)
  }
  using place = deps.bodies.begin()
  return place === undefined ? NO_ROOM : await takeBody(incoming, place, { ...deps, config })
}

/** Nothing of a body is read before the head may prove it, or inflated before it is proven. */
async function takeBody(
  { request, requestId, source, pathSecret }: Incoming,
  place: BodyInFlight,
  deps: Omit<DeliveryDeps, 'config'> & { readonly config: WebhookConfig },
): Promise<Reply> {
  const { config, report, keys, enqueuer, checks } = deps
  const said = { source: source.id, requestId }
  const head = headOf(request, pathSecret)
  const proof = await proveHead(head, source, { keys, report, said })
  if (proof !== true && typeof proof !== 'function') return proof
  place.isProven = proof === true
  const raw = await readBody(request, place)
  if (!Buffer.isBuffer(raw)) return raw
  if (proof !== true && !proof(raw)) return notProven(said, report)
  place.isProven = true
  const body = await inflated(raw, head.headers['content-encoding'], place)
  if (!Buffer.isBuffer(body)) return body
  const account = accountAt(source.registry, config)
  // Named one by one: whoever spreads the whole configuration pays for that with each delivery.
  const needs = { projects: config.projects, account, enqueuer, checks, report }
  return receive({ ...head, body, requestId }, source, needs)
}

export function headOf(request: IncomingMessage, pathSecret: string | undefined): DeliveryHead {
  return {
    headers: firstHeaders(request),
    ...(pathSecret !== undefined && { pathSecret }),
  }
}

function accountAt(registry: string, { local, upstreams }: WebhookConfig): string | undefined {
  return registry === 'local' ? local.username : upstreams.get(registry)?.username
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

// Not `headersDistinct`: that takes an array for each header, at thousands of deliveries a second.
function firstHeaders({ rawHeaders }: IncomingMessage): DeliveryHead['headers'] {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers[rawHeaders[at]?.toLowerCase() ?? ''] ??= rawHeaders[at + 1] ?? ''
  }
  return headers
}

export function send(response: ServerResponse, { status, body, headers }: Reply): void {
  sendJson(response, status, body, headers)
}
