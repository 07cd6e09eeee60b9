import { z } from 'zod'
import { type AskHarbor, bodyAs } from './ask-harbor.ts'

export interface PolicyWish {
  readonly name: string
  readonly description: string
  readonly eventTypes: readonly string[]
  readonly address: string
  /** The whole value of the Authorization header: a secret. */
  readonly authorization: string
  readonly payloadFormat: 'CloudEvents' | 'Default'
}

export interface WebhookPolicy extends PolicyWish {
  readonly id: number
  readonly isEnabled: boolean
}

/** How Harbor's latest attempts at a delivery ended; in its own words. */
export interface Execution {
  readonly id: number
  readonly status: string
}

/** The policies of that name; Harbor allows one at most. */
export async function findPolicy(
  ask: AskHarbor,
  project: string,
  name: string,
  signal: AbortSignal,
): Promise<WebhookPolicy | undefined> {
  const answer = await ask({
    method: 'GET',
    path: `${policiesOf(project)}?page_size=100`,
    what: `list the webhooks of ${project} in`,
    expect: [200],
    signal,
  })
  return bodyAs(z.array(policy), answer)
    .filter((each) => each.name === name)
    .map(policyOf)[0]
}

// What Harbor leaves out is empty there.
function policyOf({ id, name, description, enabled, ...shown }: z.infer<typeof policy>) {
  const [target] = shown.targets ?? []
  return {
    ...{ id, name, description: description ?? '', isEnabled: enabled !== false },
    eventTypes: shown.event_types ?? [],
    ...targetOf(target),
  }
}

function targetOf(target: z.infer<typeof targetSchema> | undefined) {
  const isCloud = target?.payload_format === 'CloudEvents'
  return {
    address: target?.address ?? '',
    authorization: target?.auth_header ?? '',
    payloadFormat: isCloud ? ('CloudEvents' as const) : ('Default' as const),
  }
}

export async function makePolicy(
  ask: AskHarbor,
  project: string,
  wish: PolicyWish,
  signal: AbortSignal,
): Promise<void> {
  await ask({
    method: 'POST',
    path: policiesOf(project),
    what: `make a webhook of ${project} in`,
    body: bodyOf(wish),
    expect: [201],
    signal,
  })
}

export async function changePolicy(
  ask: AskHarbor,
  at: { readonly project: string; readonly id: number },
  wish: PolicyWish,
  signal: AbortSignal,
): Promise<void> {
  await ask({
    method: 'PUT',
    path: `${policiesOf(at.project)}/${at.id}`,
    what: `change the webhook of ${at.project} in`,
    body: { ...bodyOf(wish), id: at.id },
    expect: [200],
    signal,
  })
}

export async function removePolicy(
  ask: AskHarbor,
  { project, id }: { readonly project: string; readonly id: number },
  signal: AbortSignal,
): Promise<void> {
  const what = `remove the webhook of ${project} from`
  const path = `${policiesOf(project)}/${id}`
  await ask({ method: 'DELETE', path, what, expect: [200, 404], signal })
}

/** The newest first. */
export async function listExecutions(
  ask: AskHarbor,
  { project, id }: { readonly project: string; readonly id: number },
  signal: AbortSignal,
): Promise<readonly Execution[]> {
  const answer = await ask({
    method: 'GET',
    path: `${policiesOf(project)}/${id}/executions?page_size=20&sort=-id`,
    what: `look for the deliveries of the webhook of ${project} in`,
    expect: [200],
    signal,
  })
  return bodyAs(z.array(execution), answer).toSorted((a, b) => b.id - a.id)
}

function policiesOf(project: string): string {
  return `projects/${encodeURIComponent(project)}/webhook/policies`
}

function bodyOf({
  name,
  description,
  eventTypes,
  address,
  authorization,
  payloadFormat,
}: PolicyWish) {
  const target = {
    ...{ type: 'http', address, auth_header: authorization },
    ...{ skip_cert_verify: false, payload_format: payloadFormat },
  }
  return { name, description, enabled: true, event_types: eventTypes, targets: [target] }
}

const targetSchema = z.object({
  address: z.string(),
  auth_header: z.string().nullish(),
  payload_format: z.string().nullish(),
})
const policy = z.object({
  id: z.number(),
  name: z.string(),
  description: z.string().nullish(),
  enabled: z.boolean().nullish(),
  event_types: z.array(z.string()).nullish(),
  targets: z.array(targetSchema).nullish(),
})
const execution = z.object({ id: z.number(), status: z.string() })
