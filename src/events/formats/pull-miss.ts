import { type Parsed, parsed, unparsable } from '../../oci/parsed.ts'
import { parseReference, parseRepository } from '../../oci/reference.ts'
import { authorizationOf, bearerOrPassword } from '../proof/authorization.ts'
import type { Delivery, DeliveryHead } from '../delivery.ts'
import type { ParsedDelivery, SecretFormat } from '../format.ts'
import { type JsonObject, parseJsonObject, textAt } from '../json-body.ts'
import { matchesSecret } from '../proof/secret.ts'
import { saneId, senderTextAt } from '../sender-text.ts'

/**
 * A pull that the local registry answered with 404, told by the reverse proxy in front of it: JSON
 * `{repository, reference}`, optionally `id`, `actor`, `useragent`; other keys are not looked at.
 */
export const pullMiss: SecretFormat = { onMalformed: 'refuse', prove, parse }

function prove({ headers }: DeliveryHead, secrets: readonly string[]): boolean {
  return matchesSecret(bearerOrPassword(authorizationOf(headers['authorization'])), secrets)
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const body = parseJsonObject(delivery.body)
  if (!body.ok) return body
  const repository = parseRepository(textAt(body.value, 'repository') ?? '')
  if (!repository.ok) return unparsable(`"repository": ${repository.reason}`)
  const reference = parseReference(textAt(body.value, 'reference') ?? '')
  if (!reference.ok) return unparsable(`"reference": ${reference.reason}`)
  const actor = senderTextAt(body.value, 'actor')
  const userAgent = userAgentOf(body.value, delivery)
  return parsed({
    events: [
      {
        action: 'miss',
        id: idOf(body.value, delivery),
        repository: repository.value,
        reference: reference.value,
        ...(actor !== undefined && { actor }),
        ...(userAgent !== undefined && { userAgent }),
      },
    ],
    dropped: [],
  })
}

function idOf(body: JsonObject, { headers, requestId }: Delivery): string {
  return saneId(textAt(body, 'id')) ?? saneId(headers['x-request-id']) ?? requestId
}

// A proxy hands the client's own header through unless it says so in the body.
function userAgentOf(body: JsonObject, { headers }: Delivery): string | undefined {
  return (
    senderTextAt(body, 'useragent') ??
    senderTextAt(body, 'userAgent') ??
    senderTextAt(headers, 'user-agent')
  )
}
