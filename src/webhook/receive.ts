import type { SourceConfig } from '../config/config.ts'
import type { Delivery } from '../events/delivery.ts'
import type { Format, ParsedDelivery } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import type { RegistryEvent } from '../events/registry-event.ts'
import { decide } from '../policy/decide.ts'
import type { Decision } from '../policy/decision.ts'
import type { Project } from '../policy/project.ts'
import { isLimited, type Offered } from '../queue/enqueued.ts'
import { QueueUnavailableError } from '../queue/errors.ts'
import type { LimitReason } from '../queue/miss-limits.ts'
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
  readonly checks: Checks
  readonly keys: SigningKeys
  readonly report: WebhookReporter
}

/** When each tag was last looked up upstream. */
export interface Checks {
  /** @throws QueueUnavailableError when that cannot be said now */
  due(request: ReplicationRequest, withinMs: number): Promise<boolean>
  /** Never rejects. */
  forget(request: ReplicationRequest): Promise<void>
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
  const context = { said, source, deps }
  const reply = await enqueueAll(wantedBy(content.value, context), context)
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

type Replicate = Extract<Decision, { kind: 'replicate' }>

interface Wanted {
  readonly replications: readonly Replicate[]
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
  const replications = events.flatMap((event) => replicationFor(event, context) ?? [])
  return { replications, ignored: dropped.length + events.length - replications.length }
}

function replicationFor(event: RegistryEvent, context: Context): Replicate | undefined {
  const { said, source, deps } = context
  deps.report.eventReceived(said, event)
  const origin = { registry: source.registry, account: deps.account, source: source.id }
  const decision = decide(event, origin, deps.projects)
  if (decision.kind === 'replicate') return decision
  const { id: eventId, repository } = event
  deps.report.eventIgnored(said, { reason: decision.reason, eventId, repository })
  return undefined
}

async function enqueueAll({ replications, ignored }: Wanted, context: Context): Promise<Reply> {
  const { deps } = context
  try {
    const requests = await dueOf(replications, context)
    const offered = requests.length === 0 ? [] : await offerDue(requests, context)
    const fresh = replications.length - requests.length
    return { status: 202, body: counts(offered, ignored + fresh) }
  } catch (error) {
    if (!(error instanceof QueueUnavailableError)) throw error
    deps.report.queueUnavailable({ requests: replications.length, reason: error.message })
    return refusal(503, 'the queue cannot take jobs at the moment; send it again', {
      'Retry-After': RETRY_AFTER_SECONDS,
    })
  }
}

/** Those that are to be done whatever the tag's age, and those whose tag has not been looked up lately. */
async function dueOf(
  replications: readonly Replicate[],
  { said, deps }: Context,
): Promise<readonly ReplicationRequest[]> {
  const due = await Promise.all(
    replications.map(async ({ request, unlessCheckedWithinMs = 0 }) => {
      if (await deps.checks.due(request, unlessCheckedWithinMs)) return request
      const { eventId, repository } = request
      deps.report.eventIgnored(said, { reason: 'fresh', eventId, repository })
      return undefined
    }),
  )
  return due.filter((request) => request !== undefined)
}

async function offerDue(
  requests: readonly ReplicationRequest[],
  { said, deps: { enqueuer, checks, report } }: Context,
): Promise<readonly Offered[]> {
  try {
    const offered = await enqueuer.offer(requests)
    offered.forEach((each, index) => {
      const request = requests[index]
      if (request === undefined) return
      if (!isLimited(each)) {
        report.jobEnqueued(request, each)
        return
      }
      const { eventId, repository } = request
      report.eventIgnored(said, { reason: each.limited, eventId, repository })
    })
    return offered
  } catch (error) {
    const looks = requests.filter(({ trigger }) => trigger === 'revalidate')
    await Promise.all(looks.map((request) => checks.forget(request)))
    throw error
  }
}

function counts(offered: readonly Offered[], ignored: number): Counts {
  const jobs = offered.flatMap((each) => (isLimited(each) ? [] : [each]))
  const accepted = jobs.filter(({ duplicate }) => !duplicate).length
  const limited: Partial<Record<LimitReason, number>> = {}
  for (const each of offered) {
    if (isLimited(each)) limited[each.limited] = (limited[each.limited] ?? 0) + 1
  }
  const held = offered.length - jobs.length
  return {
    accepted,
    ignored: ignored + held,
    duplicates: jobs.length - accepted,
    ...(held > 0 && { limited }),
  }
}
