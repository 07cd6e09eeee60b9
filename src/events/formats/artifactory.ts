import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt, valueAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { matchesSecret } from '../proof/secret.ts'
import type { Proof } from '../proof/proof.ts'
import { signatureProof } from '../proof/signature.ts'
import { idOfBody } from '../sender-text.ts'

/**
 * JFrog Artifactory's webhooks of the domain `docker`. The names are those of the repository path
 * method: `<repository key>/<image>`, under the host of the platform itself.
 */
export const artifactory: SecretFormat = { onMalformed: 'refuse', signs: true, prove, parse }

const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['pushed', 'push'],
  ['promoted', 'push'],
  ['deleted', 'delete'],
])
const MANIFEST_FILES: readonly string[] = ['manifest.json', 'list.manifest.json']

// The secret itself; or, with "use secret for payload signing", the HMAC of the body.
function prove({ headers }: DeliveryHead, secrets: readonly string[]): Proof {
  const shown = headers['x-jfrog-event-auth'] ?? ''
  const signature = signatureProof({ algorithm: 'sha256', hex: shown }, secrets)
  return matchesSecret([shown], secrets) || signature
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  if (textAt(body.value, 'domain') === undefined) return unparsable('"domain" is missing')
  return parsed(deliveryOf([readEvent(body.value, delivery)]))
}

function readEvent(body: JsonObject, delivery: Delivery): RegistryEvent | Dropped {
  const domain = textAt(body, 'domain') ?? ''
  const type = textAt(body, 'event_type') ?? ''
  const action = domain === 'docker' ? ACTIONS.get(type) : undefined
  if (action === undefined) {
    return dropped('unknown-action', `event ${quoted(type)} of domain ${quoted(domain)}`)
  }
  const data = objectAt(body, 'data')
  // "jfrog/user@example.com"
  const actor = textAt(body, 'source')?.replace(/^jfrog\//, '')
  return imageEvent(action, named(data), { id: idOfBody(delivery), actor })
}

function named(data: JsonObject) {
  const key = textAt(data, 'repo_key')
  const image = textAt(data, 'image_name')
  const file = textAt(data, 'name')
  const sha256 = textAt(data, 'sha256')
  const ofManifest = file === undefined || MANIFEST_FILES.includes(file)
  return {
    repository: key === undefined || image === undefined ? undefined : `${key}/${image}`,
    tag: valueAt(data, 'tag'),
    digest: sha256 === undefined || !ofManifest ? undefined : `sha256:${sha256}`,
  }
}
