import { type Parsed, parsed, unparsable } from '../../oci/parsed.ts'
import { headerOrPathProof } from '../proof/authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, imageEvent } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt, valueAt } from '../json-body.ts'
import { idOfBody } from '../sender-text.ts'

/**
 * Docker Hub's webhooks: one tag in each, no digest, no id, no proof but the address. Its `callback_url`
 * is from the days of chained webhooks and is not called.
 */
export const dockerhub: SecretFormat = {
  onMalformed: 'refuse',
  secretInPath: true,
  prove: headerOrPathProof,
  parse,
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  const repository = repositoryOf(objectAt(body.value, 'repository'))
  if (repository === undefined) return unparsable('"repository.repo_name" is missing')
  const push = objectAt(body.value, 'push_data')
  const sender = { id: idOfBody(delivery), actor: textAt(push, 'pusher') }
  const event = imageEvent('push', { repository, tag: valueAt(push, 'tag') }, sender)
  return parsed(deliveryOf([event]))
}

function repositoryOf(repository: JsonObject): string | undefined {
  const namespace = textAt(repository, 'namespace')
  const name = textAt(repository, 'name')
  const both = namespace === undefined || name === undefined ? name : `${namespace}/${name}`
  const full = textAt(repository, 'repo_name') ?? both
  // Official images have no namespace in their name; in the registry's API they are in `library`.
  return full === undefined || full.includes('/') ? full : `library/${full}`
}
