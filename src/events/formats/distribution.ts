import { type Digest, parseDigest } from '../../oci/digest.ts'
import { isManifestType } from '../../oci/media-types.ts'
import { type Parsed, parsed, quoted, unparsable } from '../../oci/parsed.ts'
import { parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts'
import { authorizationOf, bearerOrPassword } from '../authorization.ts'
import type { Delivery } from '../delivery.ts'
import type { Dropped, DropReason, Format, ParsedDelivery } from '../format.ts'
import {
  isJsonObject,
  type JsonObject,
  objectAt,
  parseJsonObject,
  textAt,
  valueAt,
} from '../json-body.ts'
import type { RegistryEvent } from '../registry-event.ts'
import { matchesSecret } from '../secret.ts'
import { saneId, toldAt } from '../told.ts'

/**
 * Notifications of CNCF distribution (docs/content/about/notifications.md) and of GitLab's fork, in
 * the envelopes v1 (2.x) and v2 (3.x), which differ in nothing that is used here.
 *
 * A refused delivery is repeated for ever and blocks every later one, hence `accept`.
 */
export const distribution: Format = { onMalformed: 'accept', prove, parse }

// distribution sends one event at a time; this many in one delivery are not its doing.
const MAX_EVENTS = 1_000
const NEWS = ['push', 'pull', 'delete'] as const
type News = (typeof NEWS)[number]

// `endpoints[].headers` are sent as written, and GitLab's fork documents the bare secret there.
function prove(delivery: Delivery, secrets: readonly string[]): boolean {
  const authorization = authorizationOf(delivery.headers['authorization'])
  return matchesSecret([authorization.verbatim, ...bearerOrPassword(authorization)], secrets)
}

function parse(delivery: Delivery): Parsed<ParsedDelivery> {
  const envelope = parseJsonObject(delivery.body)
  if (!envelope.ok) return envelope
  const entries = valueAt(envelope.value, 'events')
  if (!Array.isArray(entries)) return unparsable('"events" is not a list')
  if (entries.length > MAX_EVENTS) {
    return unparsable(`"events" has ${entries.length} entries, at most ${MAX_EVENTS} are taken`)
  }
  const read = entries.map((entry: unknown, index) => readEntry(entry, index, delivery.requestId))
  return parsed({
    events: read.flatMap((entry) => ('action' in entry ? [entry] : [])),
    dropped: read.flatMap((entry) => ('action' in entry ? [] : [entry])),
  })
}

function readEntry(entry: unknown, index: number, requestId: string): RegistryEvent | Dropped {
  if (!isJsonObject(entry)) return dropped('incomplete', `events[${index}] is not an object`)
  const action = textAt(entry, 'action') ?? ''
  if (action === 'mount') return dropped('blob', 'only blobs are mounted')
  if (!isNews(action)) return dropped('unknown-action', `action ${quoted(action)}`)
  const name = readTarget(action, objectAt(entry, 'target'))
  if ('reason' in name) return name
  return { action, id: saneId(textAt(entry, 'id')) ?? requestId, ...name, ...whoDidIt(entry) }
}

function readTarget(action: News, target: JsonObject): Name | Dropped {
  // A push of one image is announced blob by blob; only its manifest is the news.
  if (isOfBlob(target)) return dropped('blob', `${action} of a blob`)
  const name = readName(target)
  if (!name.ok) return dropped('invalid-name', name.reason)
  if (action !== 'delete' && !('tag' in name.value || 'digest' in name.value)) {
    return dropped('incomplete', `${action} in ${name.value.repository} without tag and digest`)
  }
  return name.value
}

function isNews(action: string): action is News {
  return NEWS.some((news) => news === action)
}

// Deletes do not say what they are of: no media type, no URL, for blobs and manifests alike (2.8.2).
function isOfBlob(target: JsonObject): boolean {
  const mediaType = textAt(target, 'mediaType')?.split(';', 1)[0]?.trim().toLowerCase()
  return mediaType !== undefined && !isManifestType(mediaType)
}

interface Name {
  readonly repository: Repository
  readonly tag?: Tag
  readonly digest?: Digest
}

function readName(target: JsonObject): Parsed<Name> {
  const repository = parseRepository(textAt(target, 'repository') ?? '')
  if (!repository.ok) return repository
  const tag = optional(target, 'tag', parseTag)
  if (!tag.ok) return tag
  const digest = optional(target, 'digest', parseDigest)
  if (!digest.ok) return digest
  return parsed({
    repository: repository.value,
    ...(tag.value !== undefined && { tag: tag.value }),
    ...(digest.value !== undefined && { digest: digest.value }),
  })
}

function optional<T>(
  target: JsonObject,
  key: string,
  parseText: (text: string) => Parsed<T>,
): Parsed<T | undefined> {
  const value = valueAt(target, key)
  if (value === undefined || value === null || value === '') return parsed(undefined)
  return typeof value === 'string' ? parseText(value) : unparsable(`the ${key} is not text`)
}

function whoDidIt(entry: JsonObject): { actor?: string; userAgent?: string } {
  const actor = toldAt(objectAt(entry, 'actor'), 'name')
  const userAgent = toldAt(objectAt(entry, 'request'), 'useragent')
  return { ...(actor !== undefined && { actor }), ...(userAgent !== undefined && { userAgent }) }
}

function dropped(reason: DropReason, detail: string): Dropped {
  return { reason, detail }
}
