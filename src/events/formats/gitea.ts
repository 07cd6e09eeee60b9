import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Delivery } from '../delivery.ts'
import { payloadOf } from '../form-body.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { afterPrefix, matchesSignature } from '../signature.ts'
import { saneId } from '../told.ts'

/** Gitea's and Forgejo's webhooks about packages, signed with HMAC-SHA256. */
export const gitea: SecretFormat = { onMalformed: 'refuse', prove, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['created', 'push'],
  ['deleted', 'delete'],
])

// Of a form, Gitea signs the JSON inside and not the body around it.
function prove(delivery: Delivery, secrets: readonly string[]): boolean {
  const { headers } = delivery
  // Without a secret the header is there, and empty.
  const own = headers['x-gitea-signature'] ?? headers['x-forgejo-signature'] ?? ''
  const hex = own === '' ? afterPrefix('sha256=', headers['x-hub-signature-256']) : own
  return matchesSignature(payloadOf(delivery), { algorithm: 'sha256', hex }, secrets)
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
  // A version is a tag, or the digest of what has none; of a tag the digest is not told.
  const named = { repository: repositoryOf(item), tag: valueAt(item, 'version') }
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
