import type { SourceConfig } from '../config/config.ts'
import type { Delivery } from '../events/delivery.ts'
import type { Format, ParsedDelivery } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import type { RegistryEvent } from '../events/registry-event.ts'
import type { Digest } from '../oci/digest.ts'
import { isTag } from '../oci/reference.ts'
import { decide } from '../policy/decide.ts'
import type { Decision } from '../policy/decision.ts'
import type { Project } from '../policy/project.ts'
import { isLimited, type Offered } from '../queue/enqueued.ts'
import { QueueUnavailableError } from '../pool/redis-errors.ts'
import type { LimitReason } from '../pool/miss-limits.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { Said, WebhookReporter } from '../telemetry/reports/report-webhook.ts'
import { inSpan, isWithinSpan } from '../telemetry/traces/span.ts'
import { tracedRequest } from '../telemetry/traces/traced-request.ts'
import type { Enqueuer } from './enqueuer.ts'
import { comeAgain, type Counts, refusal, type Reply } from './reply.ts'

export interface ReceiveDeps {
  readonly projects: readonly Project[]
  /** The account that pullsync itself uses at the source's registry. */
  readonly account?: string | undefined
  readonly enqueuer: Enqueuer
  readonly checks: Checks
  readonly report: WebhookReporter
}

/** When each tag was last looked up upstream. */
export interface Checks {
  /** @throws QueueUnavailableError when that cannot be said now */
  due(request: ReplicationRequest, withinMs: number): Promise<boolean>
  /** @throws QueueUnavailableError */
  noteDeletion(cause: string, digest: Digest): Promise<void>
  /** @throws QueueUnavailableError */
  digestDeleted(cause: string): Promise<Digest | undefined>
  /** Never rejects. */
  forget(request: ReplicationRequest): Promise<void>
}

/**
 * Takes one delivery of a proven sender: parsed, decided, queued, in this order. When the answer is
 * 202, the queue holds every job that the delivery asks for.
 */
export async function receive(
  delivery: Delivery,
  source: SourceConfig,
  deps: ReceiveDeps,
): Promise<Reply> {
  const attributes = { 'pullsync.source': source.id, 'pullsync.request.id': delivery.requestId }
  // Only a proven sender's trace is gone on with; an instrumented server has begun a span of its own.
  const begun = isWithinSpan() ? {} : { kind: 'server' as const, from: delivery.headers }
  return await inSpan('delivery', { ...begun, attributes }, async (note) => {
    const reply = await take(delivery, source, deps)
    note({ 'http.response.status_code': reply.status })
    return reply
  })
}

async function take(delivery: Delivery, source: SourceConfig, deps: ReceiveDeps): Promise<Reply> {
  const format: Format = FORMATS[source.format]
  const said = { source: source.id, requestId: delivery.requestId }
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
    const requests = await dueOf(await withDigests(replications, context), context)
    const offered = requests.length === 0 ? [] : await offerDue(requests, context)
    const fresh = replications.length - requests.length
    return { status: 202, body: counts(offered, ignored + fresh) }
  } catch (error) {
    if (!(error instanceof QueueUnavailableError)) throw error
    deps.report.queueUnavailable({ requests: replications.length, reason: error.message })
    return comeAgain('the queue cannot take jobs at the moment')
  }
}

/**
 * Tags that upstream deleted with their digest, and told of one by one: whoever removes one looks at all that are of
 * the digest here. The tag may be of another here, and is looked at by its name, too.
 */
async function withDigests(
  replications: readonly Replicate[],
  { said, deps: { checks } }: Context,
): Promise<readonly Replicate[]> {
  const causeOf = ({ cause }: Replicate) => cause && `${said.source} ${cause}`
  for (const each of replications) {
    const cause = causeOf(each)
    const { reference } = each.request
    if (cause !== undefined && !isTag(reference)) await checks.noteDeletion(cause, reference)
  }
  return await Promise.all(
    replications.map(async (each) => {
      const cause = causeOf(each)
      if (cause === undefined || !isTag(each.request.reference)) return each
      const announcedDigest = await checks.digestDeleted(cause)
      return announcedDigest === undefined
        ? each
        : { ...each, request: { ...each.request, announcedDigest } }
    }),
  )
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
    const offered = await enqueuer.offer(requests.map(tracedRequest))
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
