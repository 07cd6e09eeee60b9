import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { headerProof } from '../proof/authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import {
  entriesOf,
  isJsonObject,
  type JsonObject,
  objectAt,
  parseJsonObject,
  textAt,
  valueAt,
} from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../sender-text.ts'

/**
 * Notifications of CNCF distribution (docs/content/about/notifications.md), in the envelopes v1 (2.x)
 * and v2 (3.x), which differ in nothing that is used here.
 *
 * A refused delivery is repeated for ever and blocks every later one, hence `accept`.
 */
export const distribution: SecretFormat = { onMalformed: 'accept', prove: headerProof, parse }

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const envelope = parseJsonObject(delivery.body)
  if (!envelope.ok) return envelope
  const entries = entriesOf(valueAt(envelope.value, 'events'), '"events"')
  if (!entries.ok) return entries
  const read = entries.value.map((entry, index) =>
    isJsonObject(entry)
      ? withoutSubject(distributionEvent(entry, delivery.requestId))
      : dropped('incomplete', `events[${index}] is not an object`),
  )
  return parsed(deliveryOf(read))
}

/** There is no referrers API (2.8, 3.1): whoever pushes what refers to an image lists it under a tag. */
function withoutSubject(read: RegistryEvent | Dropped): RegistryEvent | Dropped {
  return 'action' in read && read.action === 'push' ? { ...read, subject: 'none' } : read
}

/** One event as distribution writes it, and after it GitLab and Azure. */
export function distributionEvent(entry: JsonObject, requestId: string): RegistryEvent | Dropped {
  const action = textAt(entry, 'action') ?? ''
  if (action === 'mount') return dropped('blob', 'only blobs are mounted')
  if (!isNews(action)) return dropped('unknown-action', `action ${quoted(action)}`)
  // Deletes do not say what they are of: no media type, no URL, for blobs and manifests alike (2.8.2).
  const target = objectAt(entry, 'target')
  const named = {
    repository: valueAt(target, 'repository'),
    tag: valueAt(target, 'tag'),
    digest: valueAt(target, 'digest'),
    mediaType: valueAt(target, 'mediaType'),
  }
  const request = objectAt(entry, 'request')
  const event = imageEvent(action, named, {
    id: saneId(textAt(entry, 'id')) ?? requestId,
    actor: textAt(objectAt(entry, 'actor'), 'name'),
    userAgent: textAt(request, 'useragent'),
  })
  const cause = saneId(textAt(request, 'id'))
  const isDeletion = 'action' in event && event.action === 'delete'
  return isDeletion && cause !== undefined ? { ...event, cause } : event
}

function isNews(action: string): action is ImageAction {
  return action === 'push' || action === 'pull' || action === 'delete'
}
