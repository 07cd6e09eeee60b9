import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
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
import { idOfBody, saneId } from '../sender-text.ts'

/** Harbor's webhook policies of type http, in both payload formats: Default, and CloudEvents (2.8 on). */
export const harbor: SecretFormat = { onMalformed: 'refuse', prove: headerProof, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['PUSH_ARTIFACT', 'push'],
  ['PULL_ARTIFACT', 'pull'],
  ['DELETE_ARTIFACT', 'delete'],
  ['harbor.artifact.pushed', 'push'],
  ['harbor.artifact.pulled', 'pull'],
  ['harbor.artifact.deleted', 'delete'],
])

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  const type = textAt(body.value, 'type')
  if (type === undefined) return unparsable('"type" is missing')
  const action = ACTIONS.get(type)
  if (action === undefined) {
    return parsed(deliveryOf([dropped('unknown-action', `type ${quoted(type)}`)]))
  }
  // The very same object in both payload formats.
  const key = Object.hasOwn(body.value, 'specversion') ? 'data' : 'event_data'
  const data = objectAt(body.value, key)
  const resources = entriesOf(valueAt(data, 'resources'), `"${key}.resources"`)
  if (!resources.ok) return resources
  const sender = { id: idOf(body.value, delivery), actor: textAt(body.value, 'operator') }
  const repository = repositoryOf(objectAt(data, 'repository'))
  return parsed(
    deliveryOf(resources.value.map((each) => eventOf(action, each, { repository, sender }))),
  )
}

interface Common {
  readonly repository: string | undefined
  readonly sender: { readonly id: string; readonly actor: string | undefined }
}

function eventOf(
  action: ImageAction,
  resource: unknown,
  { repository, sender }: Common,
): RegistryEvent | Dropped {
  if (!isJsonObject(resource)) return dropped('incomplete', 'a resource is not an object')
  // What was done by digest has the digest in the tag's place, too.
  const tag = valueAt(resource, 'tag')
  return imageEvent(action, { repository, tag, digest: valueAt(resource, 'digest') }, sender)
}

function repositoryOf(repository: JsonObject): string | undefined {
  const full = textAt(repository, 'repo_full_name')
  const project = textAt(repository, 'namespace')
  const name = textAt(repository, 'name')
  return full ?? (project !== undefined && name !== undefined ? `${project}/${name}` : name)
}

// Only CloudEvents have an id; a repeated Default delivery is the same byte for byte.
function idOf(body: JsonObject, delivery: Delivery): string {
  return saneId(textAt(body, 'id')) ?? idOfBody(delivery)
}
