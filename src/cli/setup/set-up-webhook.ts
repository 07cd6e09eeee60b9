import { isDeepStrictEqual } from 'node:util'
import {
  changePolicy,
  findPolicy,
  makePolicy,
  type PolicyWish,
  type WebhookPolicy,
} from '../../registry/harbor/webhook-policies.ts'
import { type Done, isOurs, MARK } from './done.ts'
import { makeSecret, writeSecret } from './secrets.ts'
import type { Side, SideProject } from './sides.ts'
import type { SetupRun } from './setup-run.ts'

/** What Harbor calls the webhook. */
export const POLICY = 'pullsync'

/** The secret of this Harbor's events; written into its file where there is none yet. */
export async function sourceSecret(
  { source }: Side,
  { dryRun }: SetupRun,
): Promise<string | undefined> {
  if (source === undefined || source.secret !== undefined) return source?.secret
  const secret = makeSecret()
  if (!dryRun && source.secretFile !== undefined) await writeSecret(source.secretFile.file, secret)
  return secret
}

export async function setUpWebhook(
  side: Side,
  at: SideProject,
  secret: string,
  run: SetupRun,
): Promise<Done> {
  const { ask, config } = side
  const done = { what: `the webhook ${POLICY} of ${at.name}`, at: config.id }
  const known = await findPolicy(ask, at.name, POLICY, run.signal)
  const wish = wishOf(side, at, secret, run)
  const note = `to ${wish.address}`
  if (known === undefined) {
    if (!run.dryRun) await makePolicy(ask, at.name, wish, run.signal)
    return { ...done, did: 'made', note }
  }
  if (!isOurs(known)) {
    return { ...done, did: 'left', note: 'it was not made here and is not touched' }
  }
  if (isAsWished(known, wish)) return { ...done, did: 'kept' }
  const place = { project: at.name, id: known.id }
  if (!run.dryRun) await changePolicy(ask, place, wish, run.signal)
  return { ...done, did: 'changed', note }
}

function wishOf({ config, source }: Side, { project }: SideProject, secret: string, run: SetupRun) {
  const local = config.id === 'local'
  const deletes = !local && project.onUpstreamDelete === 'delete'
  return {
    ...{ name: POLICY, description: MARK },
    eventTypes: local
      ? ['PULL_ARTIFACT']
      : ['PUSH_ARTIFACT', ...(deletes ? ['DELETE_ARTIFACT'] : [])],
    address: `${run.url}/v1/events/${encodeURIComponent(source?.id ?? '')}`,
    authorization: `Bearer ${secret}`,
    payloadFormat: run.payloadFormat,
  }
}

function isAsWished({ id: _, isEnabled, ...known }: WebhookPolicy, wish: PolicyWish): boolean {
  const sorted = (policy: PolicyWish) => ({
    ...policy,
    eventTypes: policy.eventTypes.toSorted(),
  })
  return isEnabled && isDeepStrictEqual(sorted(known), sorted(wish))
}
