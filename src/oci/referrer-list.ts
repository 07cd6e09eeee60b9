import type { Digest } from './digest.ts'
import { type ListedEntry, withoutWrongKinds } from './listed-entry.ts'
import { type Manifest, parseManifest } from './manifest.ts'
import { OCI_INDEX } from './media-types.ts'
import { isObject, parseJson } from './json.ts'
import { parseDescriptor } from './parse-descriptor.ts'
import { type Parsed, parsed, unparsable } from './parsed.ts'
import { isRunnable } from './platforms.ts'

/** An entry of a list of referrers: what refers, and all that the list says of it. */
export interface Referrer {
  readonly digest: Digest
  /** The descriptor as it stands there, with artifact type and annotations. */
  readonly entry: ListedEntry
}

/**
 * OCI distribution-spec, "Listing Referrers": an image index, from the API or the fallback tag. One
 * entry that cannot be read takes nothing from the others.
 *
 * @param skipped told why of each that is left out
 */
export function parseReferrerList(
  bytes: Buffer,
  skipped: (reason: string) => void = () => undefined,
): Parsed<readonly Referrer[]> {
  const json = parseJson(bytes)
  if (!isObject(json)) return unparsable('the list is not a JSON object')
  const entries = json['manifests'] ?? []
  if (!Array.isArray(entries)) return unparsable('its "manifests" are not a list')
  return parsed(entries.flatMap((entry: unknown) => referrerIn(entry, skipped)))
}

function referrerIn(entry: unknown, skipped: (reason: string) => void): readonly Referrer[] {
  const descriptor = parseDescriptor(entry)
  if (!descriptor.ok || !isObject(entry)) {
    skipped(descriptor.ok ? 'an entry is not an object' : descriptor.reason)
    return []
  }
  const { digest, platform } = descriptor.value
  // An image of an ordinary index, which some registries give for the fallback tag.
  return platform !== undefined && isRunnable(platform)
    ? []
    : [{ digest, entry: withoutWrongKinds(entry) }]
}

/** The index that is kept under the fallback tag, OCI distribution-spec, "Referrers Tag Schema". */
export function formatReferrerList(referrers: readonly Referrer[]): Parsed<Manifest> {
  const manifests = referrers.map(({ entry }) => entry)
  const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
  const manifest = parseManifest(Buffer.from(JSON.stringify(list)), OCI_INDEX)
  return manifest.ok ? manifest : unparsable(`the list of referrers: ${manifest.reason}`)
}
