import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { apiKeyProof } from '../proof/authorization.ts'
import { type CloudEvent, parseCloudEvents } from '../cloud-event.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { type JsonObject, textAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../sender-text.ts'

/**
 * For every sender that has no format of its own: CloudEvents in any mode, whose type ends with what
 * happened (`com.example.image.pushed`) and whose data names the image.
 */
export const cloudevents: SecretFormat = {
  onMalformed: 'refuse',
  asksFirst: true,
  prove: apiKeyProof,
  parse,
}

const ACTIONS: Readonly<Record<ImageAction, readonly string[]>> = {
  push: ['push', 'pushed', 'published', 'created', 'updated'],
  pull: ['pull', 'pulled'],
  delete: ['delete', 'deleted'],
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const events = parseCloudEvents(delivery)
  if (!events.ok) return events
  const read = events.value.map((event) =>
    'reason' in event ? event : readEvent(event, delivery.requestId),
  )
  return parsed(deliveryOf(read))
}

function readEvent(
  { type, attributes, data }: CloudEvent,
  requestId: string,
): RegistryEvent | Dropped {
  const action = actionOf(type)
  if (action === undefined) return dropped('unknown-action', `type ${quoted(type)}`)
  const subject = subjectParts(textAt(attributes, 'subject'))
  const named = {
    repository: first(data, ['repository', 'repositoryName']) ?? subject?.repository,
    tag: first(data, ['tag', 'imageTag', 'reference']) ?? subject?.reference,
    digest: first(data, ['digest', 'imageDigest']),
    mediaType: textAt(data, 'mediaType'),
  }
  return imageEvent(action, named, {
    id: saneId(textAt(attributes, 'id')) ?? requestId,
    actor: textAt(data, 'actor'),
  })
}

function actionOf(type: string): ImageAction | undefined {
  const word = type.slice(type.lastIndexOf('.') + 1).toLowerCase()
  if (ACTIONS.push.includes(word)) return 'push'
  if (ACTIONS.pull.includes(word)) return 'pull'
  return ACTIONS.delete.includes(word) ? 'delete' : undefined
}

function first(data: JsonObject, keys: readonly string[]): string | undefined {
  return keys.map((key) => textAt(data, key)).find((text) => text !== undefined)
}

/** `team/app:1.0` or `team/app@sha256:…` */
function subjectParts(subject: string | undefined) {
  const [, repository, reference] = /^([^:@]+)(?:[:@](.+))?$/.exec(subject ?? '') ?? []
  return repository === undefined ? undefined : { repository, reference }
}
