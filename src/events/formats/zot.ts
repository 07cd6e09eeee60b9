import { type Digest, parseDigest } from '../../oci/digest.ts'
import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { headerProof } from '../proof/authorization.ts'
import { type CloudEvent, parseCloudEvents } from '../cloud-event.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { isJsonObject, objectAt, parseJson, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../sender-text.ts'

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
    subject: subjectIn(textAt(data, 'manifest')),
  }
  return imageEvent(action, named, {
    id: saneId(textAt(attributes, 'id')) ?? requestId,
    actor: textAt(objectAt(data, 'actor'), 'name'),
    userAgent: textAt(objectAt(data, 'request'), 'useragent'),
  })
}

/** Of an event that has the manifest's text; undefined where it has none that can be read. */
function subjectIn(manifest: string | undefined): Digest | 'none' | undefined {
  const json = parseJson(Buffer.from(manifest ?? ''))
  if (!json.ok || !isJsonObject(json.value)) return undefined
  const subject = textAt(objectAt(json.value, 'subject'), 'digest')
  if (subject === undefined) return 'none'
  const digest = parseDigest(subject)
  return digest.ok ? digest.value : undefined
}
