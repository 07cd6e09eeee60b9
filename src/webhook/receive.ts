import type { SourceConfig } from '../config/config.ts'
import type { Delivery } from '../events/delivery.ts'
import type { Format, ParsedDelivery } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import type { RegistryEvent } from '../events/registry-event.ts'
import { decide } from '../policy/decide.ts'
import type { Project } from '../policy/project.ts'
import { QueueUnavailableError } from '../queue/errors.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { Said, WebhookReporter } from '../telemetry/report-webhook.ts'
import type { Enqueuer } from './enqueuer.ts'
import { type Counts, refusal, type Reply } from './reply.ts'
import { type SigningKeys, SigningKeysUnavailableError } from './signing-keys.ts'

export interface ReceiveDeps {
  readonly projects: readonly Project[]
  /** The account that pullsync itself uses at the source's registry. */
  readonly account?: string | undefined
  readonly enqueuer: Enqueuer
  readonly keys: SigningKeys
  readonly report: WebhookReporter
}

// Redis is back, or another process takes over, within seconds; a registry waits for its own time anyway.
const RETRY_AFTER_SECONDS = '1'

/**
 * Takes one delivery: proven, parsed, decided, queued, in this order. When the answer is 202, the
 * queue holds every job that the delivery asks for.
 */
export async function receive(
  delivery: Delivery,
  source: SourceConfig,
  deps: ReceiveDeps,
): Promise<Reply> {
  const format: Format = FORMATS[source.format]
  const said = { source: source.id, requestId: delivery.requestId }
  const refused = await refusedProof(delivery, { said, source, deps })
  if (refused !== undefined) return refused
  const content = format.parse(delivery)
  if (!content.ok) {
    deps.report.deliveryMalformed(said, content.reason)
    return format.onMalformed === 'refuse'
      ? refusal(422, content.reason)
      : { status: 202, body: { malformed: true, reason: content.reason } }
  }
  const reply = await enqueueAll(wantedBy(content.value, { said, source, deps }), deps)
  const { answer } = content.value
  return reply.status === 202 && answer !== undefined ? { status: 200, body: answer } : reply
}

async function refusedProof(
  delivery: Delivery,
  { said, source, deps }: Context,
): Promise<Reply | undefined> {
  try {
    if (await isProven(delivery, source, deps)) return undefined
    deps.report.proofRefused(said)
    return refusal(401, `the delivery does not prove to come from source "${source.id}"`)
  } catch (error) {
    if (!(error instanceof SigningKeysUnavailableError)) throw error
    deps.report.keysUnavailable(said, error)
    return refusal(503, 'the keys that prove the delivery cannot be had now; send it again', {
      'Retry-After': RETRY_AFTER_SECONDS,
    })
  }
}

function isProven(
  delivery: Delivery,
  { format: name, secrets, token }: SourceConfig,
  { keys }: ReceiveDeps,
): boolean | Promise<boolean> {
  const format: Format = FORMATS[name]
  if ('prove' in format) return format.prove(delivery, secrets)
  if (token === undefined) return false
  return format.verify(delivery, { ...token, keys: keys.publishedAt(token.keysUrl) })
}

interface Wanted {
  readonly requests: readonly ReplicationRequest[]
  readonly ignored: number
}

interface Context {
  readonly said: Said
  readonly source: SourceConfig
  readonly deps: ReceiveDeps
}

function wantedBy({ events, dropped }: ParsedDelivery, context: Context): Wanted {
  const { said, deps } = context
  for (const entry of dropped) deps.report.eventIgnored(said, entry)
  const requests = events.flatMap((event) => requestOf(event, context) ?? [])
  return { requests, ignored: dropped.length + events.length - requests.length }
}

function requestOf(
  event: RegistryEvent,
  { said, source, deps }: Context,
): ReplicationRequest | undefined {
  deps.report.eventReceived(said, event)
  const origin = { registry: source.registry, account: deps.account }
  const decision = decide(event, origin, deps.projects)
  if (decision.kind === 'replicate') return decision.request
  const { id: eventId, repository } = event
  deps.report.eventIgnored(said, { reason: decision.reason, eventId, repository })
  return undefined
}

async function enqueueAll({ requests, ignored }: Wanted, deps: ReceiveDeps): Promise<Reply> {
  if (requests.length === 0) return counted({ accepted: 0, ignored, duplicates: 0 })
  try {
    const jobs = await deps.enqueuer.enqueue(requests)
    jobs.forEach((job, index) => {
      const request = requests[index]
      if (request !== undefined) deps.report.jobEnqueued(request, job)
    })
    const accepted = jobs.filter(({ duplicate }) => !duplicate).length
    return counted({ accepted, ignored, duplicates: requests.length - accepted })
  } catch (error) {
    if (!(error instanceof QueueUnavailableError)) throw error
    deps.report.queueUnavailable({ requests: requests.length, reason: error.message })
    return refusal(503, 'the queue cannot take jobs at the moment; send it again', {
      'Retry-After': RETRY_AFTER_SECONDS,
    })
  }
}

function counted(body: Counts): Reply {
  return { status: 202, body }
}
