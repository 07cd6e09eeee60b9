import { type Parsed, parsed, quoted } from '../../oci/parsed.ts'
import { headerOrPathProof } from '../proof/authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, SecretFormat, ParsedDelivery } from '../format.ts'
import { deliveryOf, dropped } from '../image-event.ts'
import { isJsonObject, type JsonObject, objectAt, parseJsonEntries, textAt } from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { distributionEvent } from './distribution.ts'

/**
 * Azure Container Registry: its own webhooks, one event without an envelope, and Event Grid, a list in
 * Event Grid's schema or in CloudEvents, with the same event as `data`. Event Grid sends events only
 * to an address that has answered its validation event with the code in it.
 */
export const acr: SecretFormat = {
  onMalformed: 'refuse',
  secretInPath: true,
  asksFirst: true,
  prove: headerOrPathProof,
  parse,
}

const VALIDATION = 'Microsoft.EventGrid.SubscriptionValidationEvent'

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const entries = parseJsonEntries(delivery.body)
  if (!entries.ok) return entries
  const read = deliveryOf(entries.value.map((entry) => readEntry(entry, delivery.requestId)))
  const code = entries.value.map(validationCode).find((each) => each !== undefined)
  return parsed({ ...read, ...(code !== undefined && { answer: { validationResponse: code } }) })
}

function readEntry(entry: unknown, requestId: string): RegistryEvent | Dropped {
  if (!isJsonObject(entry)) return dropped('incomplete', 'an entry is not an object')
  const type = gridType(entry)
  if (type === VALIDATION) return dropped('ping', 'Event Grid validates the subscription')
  return type === undefined
    ? ownEvent(entry, requestId)
    : ownEvent({ ...objectAt(entry, 'data'), ...idOf(entry) }, requestId)
}

function ownEvent(event: JsonObject, requestId: string): RegistryEvent | Dropped {
  const action = textAt(event, 'action') ?? ''
  if (action === 'ping') return dropped('ping', 'the registry tries the webhook')
  if (action.startsWith('chart_')) return dropped('other-artifact', `action ${quoted(action)}`)
  return distributionEvent(event, requestId)
}

function gridType(entry: JsonObject): string | undefined {
  const type = textAt(entry, 'eventType') ?? textAt(entry, 'type')
  return type?.startsWith('Microsoft.') === true ? type : undefined
}

// Event Grid repeats a delivery under its own id, which is not the registry's.
function idOf(entry: JsonObject): { readonly id?: string } {
  const id = textAt(objectAt(entry, 'data'), 'id') ?? textAt(entry, 'id')
  return id === undefined ? {} : { id }
}

function validationCode(entry: unknown): string | undefined {
  if (!isJsonObject(entry) || gridType(entry) !== VALIDATION) return undefined
  const code = textAt(objectAt(entry, 'data'), 'validationCode')
  return code !== undefined && code.length <= 256 ? code : undefined
}
