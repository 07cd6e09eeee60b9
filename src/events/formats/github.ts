import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import { payloadOf } from '../form-body.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped, imageEvent } from '../image-event.ts'
import { type JsonObject, objectAt, parseJsonObject, textAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import type { Proof } from '../proof/proof.ts'
import { afterPrefix, signatureProof } from '../proof/signature.ts'
import { saneId } from '../sender-text.ts'

/**
 * GitHub's webhooks about packages: `package` of repositories and organizations, `registry_package` of
 * GitHub Apps. Signed with HMAC-SHA256 of the raw body; the older SHA-1 signature is not looked at.
 */
export const github: SecretFormat = { onMalformed: 'refuse', signs: true, prove, parse }

// `create` is what `published` was called before the container registry left its beta.
const PUSHES: readonly string[] = ['published', 'updated', 'create']

function prove({ headers }: DeliveryHead, secrets: readonly string[]): Proof {
  const hex = afterPrefix('sha256=', headers['x-hub-signature-256'])
  return signatureProof({ algorithm: 'sha256', hex }, secrets)
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const event = delivery.headers['x-github-event']
  if (event === undefined) return unparsable('the header X-GitHub-Event is missing')
  const body = parseJsonObject(payloadOf(delivery))
  if (!body.ok) return body
  return parsed(deliveryOf([readEvent(event, body.value, delivery)]))
}

function readEvent(event: string, body: JsonObject, delivery: Delivery): RegistryEvent | Dropped {
  if (event === 'ping') return dropped('ping', 'GitHub tries the webhook')
  if (event !== 'package' && event !== 'registry_package') {
    return dropped('unknown-action', `event ${quoted(event)}`)
  }
  const action = textAt(body, 'action') ?? ''
  if (!PUSHES.includes(action)) return dropped('unknown-action', `action ${quoted(action)}`)
  const item = objectAt(body, event)
  const kinds = kindsOf(item)
  if (!kinds.some((kind) => kind.toLowerCase() === 'container')) {
    return dropped('other-artifact', `a package of type ${quoted(kinds.join(', '))}`)
  }
  return imageEvent('push', named(item, body), {
    id: saneId(delivery.headers['x-github-delivery']) ?? delivery.requestId,
    actor: textAt(objectAt(body, 'sender'), 'login'),
  })
}

// Older payloads have the one, newer ones the other; where both are there, they need not agree.
function kindsOf(item: JsonObject): readonly string[] {
  return [textAt(item, 'ecosystem'), textAt(item, 'package_type')].filter(
    (kind) => kind !== undefined,
  )
}

function named(item: JsonObject, body: JsonObject) {
  const version = objectAt(item, 'package_version')
  const container = objectAt(version, 'container_metadata')
  const manifest = objectAt(container, 'manifest')
  const tag = objectAt(container, 'tag')
  const url = urlParts(textAt(version, 'package_url'))
  const name = textAt(version, 'version') ?? textAt(version, 'name')
  const digest = textAt(manifest, 'digest') ?? textAt(tag, 'digest')
  return {
    repository: url?.repository ?? ownName(item, body),
    // The children of an index and other untagged versions have an empty name, or their digest here.
    tag: textAt(tag, 'name') ?? url?.tag ?? name,
    digest,
    mediaType: textAt(manifest, 'media_type'),
  }
}

/** `ghcr.io/owner/name:tag`; what is untagged ends with the colon. */
function urlParts(url: string | undefined) {
  const [, repository, tag] =
    /^(?:https?:\/\/)?[^/]+\/([^@:]+)(?::([^@]+)|[:@].*)?$/.exec(url ?? '') ?? []
  return repository === undefined ? undefined : { repository: repository.toLowerCase(), tag }
}

// `namespace` is the owner in older payloads and owner/name in newer ones.
function ownName(item: JsonObject, body: JsonObject): string | undefined {
  const owner =
    textAt(objectAt(item, 'owner'), 'login') ??
    textAt(objectAt(body, 'organization'), 'login') ??
    textAt(item, 'namespace')?.split('/', 1)[0]
  const name = textAt(item, 'name')
  return owner === undefined || name === undefined ? undefined : `${owner}/${name}`.toLowerCase()
}
