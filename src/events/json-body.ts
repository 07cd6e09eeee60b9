import { type Parsed, parsed, unparsable } from '../oci/parsed.ts'

/** An object out of a sender's JSON; its values are still to be checked one by one. */
export type JsonObject = Readonly<Record<string, unknown>>

// Real senders put one event in a delivery, at most a few; this many are not their doing.
const MAX_ENTRIES = 1_000

/** RFC 8259: UTF-8; a byte order mark is tolerated. */
export function parseJson(body: Buffer): Parsed<unknown> {
  if (body.length === 0) return unparsable('the body is empty')
  const text = decode(body)
  if (text === undefined) return unparsable('the body is not valid UTF-8')
  try {
    const value: unknown = JSON.parse(text)
    return parsed(value)
  } catch {
    // The engine's message quotes the body, and that is no business of a log or an answer.
    return unparsable('the body is not valid JSON')
  }
}

/** JSON whose top level must be an object. */
export function parseJsonObject(body: Buffer): Parsed<JsonObject> {
  const value = parseJson(body)
  if (!value.ok) return value
  return isJsonObject(value.value)
    ? parsed(value.value)
    : unparsable('the body is not a JSON object')
}

/** JSON that is an entry, or a list of at most 1,000 of them, each still to be checked. */
export function parseJsonEntries(body: Buffer): Parsed<readonly unknown[]> {
  const value = parseJson(body)
  if (!value.ok) return value
  if (Array.isArray(value.value)) return entriesOf(value.value, 'the body')
  return isJsonObject(value.value)
    ? parsed([value.value])
    : unparsable('the body is neither a JSON object nor a list')
}

/** A list of at most 1,000 entries; `name` says where it stands. */
export function entriesOf(value: unknown, name: string): Parsed<readonly unknown[]> {
  if (!Array.isArray(value)) return unparsable(`${name} is not a list`)
  if (value.length <= MAX_ENTRIES) return parsed(value)
  return unparsable(`${name} has ${value.length} entries, at most ${MAX_ENTRIES} are taken`)
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object under this key, or an empty one. Never what an object inherits. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = valueAt(object, key)
  return isJsonObject(value) ? value : {}
}

/** The text under this key; senders write "not there" as absent, null or empty. */
export function textAt(object: JsonObject, key: string): string | undefined {
  const value = valueAt(object, key)
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function valueAt(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function decode(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
}
