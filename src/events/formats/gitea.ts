import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import { payloadOf } from '../form-body.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import type { Proof } from '../proof/proof.ts'
import { afterPrefix, signatureProof } from '../proof/signature.ts'
import { saneId } from '../sender-text.ts'

/** Gitea's and Forgejo's webhooks about packages, signed with HMAC-SHA256. */
export const gitea: SecretFormat = { onMalformed: 'refuse', signs: true, prove, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['created', 'push'],
  ['deleted', 'delete'],
])

// Of a form, Gitea signs the JSON inside and not the body around it.
function prove({ headers }: DeliveryHead, secrets: readonly string[]): Proof {
  // Without a secret the header is there, and empty.
  const own = headers['x-gitea-signature'] ?? headers['x-forgejo-signature'] ?? ''
  const hex = own === '' ? afterPrefix('sha256=', headers['x-hub-signature-256']) : own
  const proof = signatureProof({ algorithm: 'sha256', hex }, secrets)
  return proof && ((body) => proof(payloadOf({ headers, body })))
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const { headers } = delivery
  const event = headers['x-gitea-event'] ?? headers['x-forgejo-event']
  if (event === undefined) return unparsable('the header X-Gitea-Event is missing')
  const body = parseJsonObject(payloadOf(delivery))
  if (!body.ok) return body
  return parsed(deliveryOf([readEvent(event, body.value, delivery)]))
}

function readEvent(event: string, body: JsonObject, delivery: Delivery): RegistryEvent | Dropped {
  if (event !== 'package') return dropped('unknown-action', `event ${quoted(event)}`)
  const word = textAt(body, 'action') ?? ''
  const action = ACTIONS.get(word)
  if (action === undefined) return dropped('unknown-action', `action ${quoted(word)}`)
  const item = objectAt(body, 'package')
  const type = textAt(item, 'type') ?? ''
  if (type !== 'container') return dropped('other-artifact', `a package of type ${quoted(type)}`)
  // A version is a tag, or the digest of what has none; of a tag the digest is not told. There is no
  // referrers API (1.26): a tag lists what refers to an image.
  const named = {
    repository: repositoryOf(item),
    tag: valueAt(item, 'version'),
    subject: 'none' as const,
  }
  return imageEvent(action, named, {
    id: idOf(delivery),
    actor: textAt(objectAt(body, 'sender'), 'login'),
  })
}

function repositoryOf(item: JsonObject): string | undefined {
  const owner = textAt(objectAt(item, 'owner'), 'login')
  const name = textAt(item, 'name')
  return owner === undefined || name === undefined ? undefined : `${owner}/${name}`.toLowerCase()
}

function idOf({ headers, requestId }: Delivery): string {
  return saneId(headers['x-gitea-delivery'] ?? headers['x-forgejo-delivery']) ?? requestId
}
