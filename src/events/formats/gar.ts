import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import { authorizationOf } from '../proof/authorization.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import type { Dropped, ParsedDelivery, TokenFormat, TokenProof } from '../format.ts'
import { deliveryOf, dropped, imageEvent, type ImageAction } from '../image-event.ts'
import {
  isJsonObject,
  type JsonObject,
  objectAt,
  parseJson,
  parseJsonObject,
  textAt,
} from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { saneId } from '../sender-text.ts'

/**
 * Google Artifact Registry's topic `gcr`, pushed by a Pub/Sub subscription, wrapped or not. Pub/Sub
 * repeats a refused delivery for days and sends everything else more slowly meanwhile, hence `accept`.
 */
export const gar: TokenFormat = { onMalformed: 'accept', verify, parse }

const ISSUERS = ['https://accounts.google.com', 'accounts.google.com']
const CLOCK_TOLERANCE_SECONDS = 60
const ACTIONS: ReadonlyMap<string, ImageAction> = new Map([
  ['INSERT', 'push'],
  ['DELETE', 'delete'],
])

// OpenID Connect Core 1.0, section 3.1.3.7. Anybody can have Google sign a token for this audience; only
// the service account of the subscription has this address.
async function verify({ headers }: DeliveryHead, expected: TokenProof): Promise<boolean> {
  const token = authorizationOf(headers['authorization']).bearer
  if (token === undefined) return false
  // Here and no earlier: whoever only reads the configuration would wait for it.
  const { errors, jwtVerify } = await import('jose')
  try {
    const { payload } = await jwtVerify(token, expected.keys, {
      algorithms: ['RS256'],
      issuer: ISSUERS,
      audience: expected.audience,
      requiredClaims: ['exp', 'email'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
    return payload['email_verified'] === true && payload['email'] === expected.email
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  const message = objectAt(body.value, 'message')
  const wrapped = Object.hasOwn(body.value, 'message')
  const id = wrapped ? textAt(message, 'messageId') : delivery.headers['x-goog-pubsub-message-id']
  const data = wrapped ? unwrapped(message) : body
  if (!data.ok) return data
  return parsed(deliveryOf([readEvent(data.value, saneId(id) ?? delivery.requestId)]))
}

function unwrapped(message: JsonObject): Parsed<JsonObject> {
  const data = parseJson(Buffer.from(textAt(message, 'data') ?? '', 'base64'))
  if (!data.ok) return unparsable(`"message.data": ${data.reason}`)
  return isJsonObject(data.value)
    ? parsed(data.value)
    : unparsable('"message.data" is not a JSON object')
}

function readEvent(data: JsonObject, id: string): RegistryEvent | Dropped {
  const word = textAt(data, 'action') ?? ''
  const action = ACTIONS.get(word)
  if (action === undefined) return dropped('unknown-action', `action ${quoted(word)}`)
  const byDigest = fullName(textAt(data, 'digest'))
  const byTag = fullName(textAt(data, 'tag'))
  return imageEvent(
    action,
    {
      repository: byTag?.repository ?? byDigest?.repository,
      tag: byTag?.reference,
      digest: byDigest?.reference,
    },
    { id },
  )
}

/** `europe-docker.pkg.dev/project/repository/image@sha256:…`, or with `:tag`. */
function fullName(text: string | undefined) {
  const [, repository, reference] = /^[^/]+\/([^@:]+)[@:](.+)$/.exec(text ?? '') ?? []
  return repository === undefined ? undefined : { repository, reference }
}
