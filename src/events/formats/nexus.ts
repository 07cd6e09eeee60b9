import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction, type Named } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import type { Proof } from '../proof/proof.ts'
import { signatureProof } from '../proof/signature.ts'
import { saneId } from '../sender-text.ts'

/**
 * Sonatype Nexus Repository's webhooks `rm:repository:component` and `rm:repository:asset`. They name
 * no digest. The component's name is the image's; which Nexus repository it is in shows in the port
 * or host that clients use, not in the name.
 */
export const nexus: SecretFormat = { onMalformed: 'refuse', signs: true, prove, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['CREATED', 'push'],
  ['UPDATED', 'push'],
  ['DELETED', 'delete'],
])

// HMAC-SHA1 is all that Nexus offers.
function prove({ headers }: DeliveryHead, secrets: readonly string[]): Proof {
  const hex = headers['x-nexus-webhook-signature']
  return signatureProof({ algorithm: 'sha1', hex }, secrets)
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const kind = delivery.headers['x-nexus-webhook-id']
  if (kind === undefined) return unparsable('the header X-Nexus-Webhook-Id is missing')
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  return parsed(deliveryOf([readEvent(kind, body.value, delivery)]))
}

function readEvent(kind: string, body: JsonObject, delivery: Delivery): RegistryEvent | Dropped {
  const part = /^rm:repository:(component|asset)$/.exec(kind)?.[1]
  const word = textAt(body, 'action') ?? ''
  const action = part === undefined ? undefined : ACTIONS.get(word)
  // PURGED lists ids only, and those mean something to Nexus alone.
  if (part === undefined || action === undefined) {
    return dropped('unknown-action', `${quoted(kind)} with action ${quoted(word)}`)
  }
  const named = part === 'asset' ? assetIn(body) : componentIn(body)
  if ('reason' in named) return named
  return imageEvent(action, named, {
    id: saneId(delivery.headers['x-nexus-webhook-delivery']) ?? delivery.requestId,
    // "admin/10.0.0.7"
    actor: textAt(body, 'initiator')?.split('/', 1)[0],
  })
}

function componentIn(body: JsonObject): Named | Dropped {
  const component = objectAt(body, 'component')
  return (
    ofAnotherFormat(component) ?? {
      repository: valueAt(component, 'name'),
      tag: valueAt(component, 'version'),
    }
  )
}

/** The asset of a manifest is named `/v2/team/app/manifests/1.0`; newer versions leave out the first slash. */
function assetIn(body: JsonObject): Named | Dropped {
  const asset = objectAt(body, 'asset')
  const [, repository, tag] =
    /^\/?v2\/(.+)\/manifests\/([^/]+)$/.exec(textAt(asset, 'name') ?? '') ?? []
  if (repository !== undefined) return ofAnotherFormat(asset) ?? { repository, tag }
  return ofAnotherFormat(asset) ?? dropped('blob', 'the asset is no manifest')
}

function ofAnotherFormat(item: JsonObject): Dropped | undefined {
  const format = textAt(item, 'format') ?? ''
  return format === 'docker'
    ? undefined
    : dropped('other-artifact', `something of format ${quoted(format)}`)
}
