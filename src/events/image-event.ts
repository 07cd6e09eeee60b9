import { type Digest, parseDigest } from '../oci/digest.ts'
import { isManifestType } from '../oci/media-types.ts'
import { type Parsed, parsed, unparsable } from '../oci/parsed.ts'
import {
  isTag,
  parseReference,
  parseRepository,
  type Repository,
  type Tag,
} from '../oci/reference.ts'
import type { Dropped, DropReason, ParsedDelivery } from './format.ts'
import type { RegistryEvent } from './registry-event.ts'
import { senderText } from './sender-text.ts'

export type ImageAction = 'push' | 'pull' | 'delete'

/** What a sender names, as it came: any of it may be missing or of another type. */
export interface Named {
  readonly repository: unknown
  /** A tag; or a digest, which Harbor, zot and others write there for what has no tag. */
  readonly tag?: unknown
  readonly digest?: unknown
  readonly mediaType?: unknown
  /** As in `PushEvent`. */
  readonly subject?: Digest | 'none' | undefined
}

export interface Reported {
  readonly id: string
  readonly actor?: string | undefined
  readonly userAgent?: string | undefined
}

/** The event, or why it is none: only manifests with valid names are news. */
export function imageEvent(
  action: ImageAction,
  named: Named,
  { id, actor, userAgent }: Reported,
): RegistryEvent | Dropped {
  // A push of one image is announced blob by blob; only its manifest is the news.
  if (isOfBlob(named.mediaType)) return dropped('blob', `${action} of a blob`)
  const image = readImage(named)
  if (!image.ok) return dropped('invalid-name', image.reason)
  if (action !== 'delete' && !('tag' in image.value || 'digest' in image.value)) {
    return dropped('incomplete', `${action} in ${image.value.repository} without tag and digest`)
  }
  return {
    action,
    id,
    ...image.value,
    ...(action === 'push' && named.subject !== undefined && { subject: named.subject }),
    ...(actor !== undefined && { actor: senderText(actor) }),
    ...(userAgent !== undefined && { userAgent: senderText(userAgent) }),
  }
}

export function dropped(reason: DropReason, detail: string): Dropped {
  return { reason, detail }
}

/** What was read, entry by entry, as one delivery. */
export function deliveryOf(read: readonly (RegistryEvent | Dropped)[]): ParsedDelivery {
  return {
    events: read.flatMap((entry) => ('action' in entry ? [entry] : [])),
    dropped: read.flatMap((entry) => ('action' in entry ? [] : [entry])),
  }
}

// Absent says nothing: many senders tell of manifests only, and deletes have no media type.
function isOfBlob(mediaType: unknown): boolean {
  if (typeof mediaType !== 'string' || mediaType === '') return false
  const [type = ''] = mediaType.split(';', 1)
  return !isManifestType(type.trim().toLowerCase())
}

interface Image {
  readonly repository: Repository
  readonly tag?: Tag
  readonly digest?: Digest
}

function readImage(named: Named): Parsed<Image> {
  const repository = parseRepository(typeof named.repository === 'string' ? named.repository : '')
  if (!repository.ok) return repository
  const reference = optional('tag', named.tag, parseReference)
  if (!reference.ok) return reference
  const given = optional('digest', named.digest, parseDigest)
  if (!given.ok) return given
  const { tag, digest = given.value } = split(reference.value)
  return parsed({
    repository: repository.value,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  })
}

function split(reference: Tag | Digest | undefined): { tag?: Tag; digest?: Digest } {
  if (reference === undefined) return {}
  return isTag(reference) ? { tag: reference } : { digest: reference }
}

function optional<T>(
  name: string,
  value: unknown,
  parseText: (text: string) => Parsed<T>,
): Parsed<T | undefined> {
  if (value === undefined || value === null || value === '') return parsed(undefined)
  return typeof value === 'string' ? parseText(value) : unparsable(`the ${name} is not text`)
}
