import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { headerProof } from '../authorization.ts'
import { type CloudEvent, parseCloudEvents } from '../cloud-event.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { objectAt, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../told.ts'

/**
 * zot's `extensions.events`: its HTTP sink sends CloudEvents in binary mode; a bridge from its NATS
 * sink sends the same structured. zot sends each event once, whatever the answer.
 */
export const zot: SecretFormat = { onMalformed: 'refuse', prove: headerProof, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['zotregistry.image.updated', 'push'],
  ['zotregistry.image.deleted', 'delete'],
])

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const events = parseCloudEvents(delivery)
  if (!events.ok) return events
  const read = events.value.map((event) =>
    'reason' in event ? event : eventOf(event, delivery.requestId),
  )
  return parsed(deliveryOf(read))
}

function eventOf(
  { type, attributes, data }: CloudEvent,
  requestId: string,
): RegistryEvent | Dropped {
  const action = ACTIONS.get(type)
  if (action === undefined) return dropped('unknown-action', `type ${quoted(type)}`)
  const named = {
    repository: valueAt(data, 'name'),
    tag: valueAt(data, 'reference'),
    digest: valueAt(data, 'digest'),
    mediaType: valueAt(data, 'mediaType'),
  }
  return imageEvent(action, named, {
    id: saneId(textAt(attributes, 'id')) ?? requestId,
    actor: textAt(objectAt(data, 'actor'), 'name'),
    userAgent: textAt(objectAt(data, 'request'), 'useragent'),
  })
}
