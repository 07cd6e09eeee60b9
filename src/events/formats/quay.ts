import { type Parsed, parsed, unparsable } from '../../oci/parsed.ts'
import { headerOrPathProof } from '../proof/authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent } from '../image-event.ts'
import { isJsonObject, parseJsonObject, textAt, valueAt } from '../json-body.ts'

/**
 * Quay's notification "Push to Repository" by webhook POST. It names tags and no digest, has no id, and
 * can carry no header: the secret stands in the address. After three refused deliveries in a row
 * Quay switches the notification off, hence `accept`.
 */
export const quay: SecretFormat = {
  onMalformed: 'accept',
  secretInPath: true,
  prove: headerOrPathProof,
  parse,
}

const MAX_TAGS = 1_000

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  const repository = textAt(body.value, 'repository')
  if (repository === undefined) return unparsable('"repository" is missing')
  // All other notifications have the same form, and no list of tags.
  const tags = tagsOf(valueAt(body.value, 'updated_tags'))
  if (tags === undefined) {
    return parsed(deliveryOf([dropped('unknown-action', 'a notification without "updated_tags"')]))
  }
  if (tags.length > MAX_TAGS) {
    return unparsable(`"updated_tags" has ${tags.length} entries, at most ${MAX_TAGS} are taken`)
  }
  const sender = { id: delivery.requestId }
  return parsed(deliveryOf(tags.map((tag) => imageEvent('push', { repository, tag }, sender))))
}

// Older versions wrote a mapping of tags to image ids.
function tagsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value.map((each: unknown) => each)
  return isJsonObject(value) ? Object.keys(value) : undefined
}
