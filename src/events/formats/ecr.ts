import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { apiKeyProof } from '../proof/authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import {
  isJsonObject,
  type JsonObject,
  objectAt,
  parseJsonEntries,
  textAt,
  valueAt,
} from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../sender-text.ts'

/**
 * Amazon ECR's events, sent by an EventBridge rule to an API destination: the whole event, without an
 * input transformer; one object, or a list where the destination batches.
 */
export const ecr: SecretFormat = { onMalformed: 'refuse', prove: apiKeyProof, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['PUSH', 'push'],
  ['DELETE', 'delete'],
])

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const entries = parseJsonEntries(delivery.body)
  if (!entries.ok) return entries
  return parsed(deliveryOf(entries.value.map((entry) => readEntry(entry, delivery.requestId))))
}

function readEntry(entry: unknown, requestId: string): RegistryEvent | Dropped {
  if (!isJsonObject(entry)) return dropped('incomplete', 'an entry is not an object')
  const type = textAt(entry, 'detail-type') ?? ''
  const detail = objectAt(entry, 'detail')
  const happened = actionOf(type, detail)
  if (happened === undefined) {
    const word = textAt(detail, 'action-type') ?? ''
    return dropped('unknown-action', `${quoted(type)} with action ${quoted(word)}`)
  }
  if (happened.result !== 'SUCCESS') {
    return dropped('failed-there', `${happened.action} ended with ${quoted(happened.result)}`)
  }
  const named = {
    repository: valueAt(detail, 'repository-name'),
    tag: valueAt(detail, 'image-tag'),
    digest: valueAt(detail, 'image-digest'),
    mediaType: valueAt(detail, 'manifest-media-type'),
  }
  return imageEvent(happened.action, named, { id: saneId(textAt(entry, 'id')) ?? requestId })
}

function actionOf(type: string, detail: JsonObject) {
  if (type === 'ECR Image Action') {
    const action = ACTIONS.get(textAt(detail, 'action-type') ?? '')
    return action && { action, result: textAt(detail, 'result') ?? '' }
  }
  // What another region or account has sent here is here now, though nobody pushed it here.
  if (type === 'ECR Replication Action') {
    return { action: 'push' as const, result: textAt(detail, 'result') ?? '' }
  }
  // What a pull-through cache rule has fetched is there now, like what somebody pushed.
  if (type === 'ECR Pull Through Cache Action') {
    return { action: 'push' as const, result: textAt(detail, 'sync-status') ?? '' }
  }
  return undefined
}
