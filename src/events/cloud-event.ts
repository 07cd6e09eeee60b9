import { type Parsed, parsed, unparsable } from '../oci/parsed.ts'
import type { Delivery } from './delivery.ts'
import type { Dropped } from './format.ts'
import { dropped } from './image-event.ts'
import {
  isJsonObject,
  type JsonObject,
  objectAt,
  parseJson,
  parseJsonEntries,
  parseJsonObject,
  textAt,
} from './json-body.ts'

/** CloudEvents 1.0.2, as it came over HTTP. */
export interface CloudEvent {
  readonly type: string
  /** All attributes, extensions among them; texts only in binary mode. */
  readonly attributes: JsonObject
  /** Empty where the data is no JSON object. */
  readonly data: JsonObject
}

/**
 * All three modes of the CloudEvents HTTP binding 1.0.2: binary (the attributes are headers),
 * structured, and batched.
 */
export function parseCloudEvents(delivery: Delivery): Parsed<readonly (CloudEvent | Dropped)[]> {
  const contentType = delivery.headers['content-type']?.trim().toLowerCase() ?? ''
  const type = delivery.headers['ce-type']
  if (type !== undefined && !contentType.startsWith('application/cloudevents')) {
    return binary(delivery, type)
  }
  const entries = parseJsonEntries(delivery.body)
  if (!entries.ok) return entries
  const [first] = entries.value
  const isOne = entries.value.length === 1 && isJsonObject(first)
  if (isOne && textAt(first, 'type') === undefined) {
    return unparsable('neither a Ce-Type header nor a CloudEvents "type"')
  }
  return parsed(entries.value.map(structured))
}

function binary(delivery: Delivery, type: string): Parsed<readonly CloudEvent[]> {
  const attributes = Object.entries(delivery.headers).flatMap(([name, value]) =>
    name.startsWith('ce-') && value !== undefined ? [[name.slice(3), decoded(value)] as const] : [],
  )
  const event = { type: decoded(type), attributes: Object.fromEntries(attributes) }
  if (delivery.body.length === 0) return parsed([{ ...event, data: {} }])
  const data = parseJsonObject(delivery.body)
  return data.ok ? parsed([{ ...event, data: data.value }]) : data
}

function structured(entry: unknown, index: number): CloudEvent | Dropped {
  if (!isJsonObject(entry)) return dropped('incomplete', `entry ${index} is not an object`)
  const type = textAt(entry, 'type')
  if (type === undefined) return dropped('incomplete', `entry ${index} has no "type"`)
  return { type, attributes: entry, data: dataOf(entry) }
}

function dataOf(entry: JsonObject): JsonObject {
  const encoded = textAt(entry, 'data_base64')
  if (encoded === undefined) return objectAt(entry, 'data')
  const data = parseJson(Buffer.from(encoded, 'base64'))
  return data.ok && isJsonObject(data.value) ? data.value : {}
}

// The binding, section 3.1.3.2: what is no printable ASCII is percent-encoded.
function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
