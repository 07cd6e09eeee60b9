import type { Digest } from './digest.ts'
import { type Manifest, parseManifest } from './manifest.ts'
import { OCI_INDEX } from './media-types.ts'
import { isObject, parseDescriptor } from './parse-descriptor.ts'
import { type Parsed, parsed, unparsable } from './parsed.ts'

/** An entry of a list of referrers: what refers, and all that the list says of it. */
export interface Referrer {
  readonly digest: Digest
  /** The descriptor as it stands there, with artifact type and annotations. */
  readonly entry: Readonly<Record<string, unknown>>
}

/** OCI distribution-spec, "Listing Referrers": an image index, from the API or the fallback tag. */
export function parseReferrerList(bytes: Buffer): Parsed<readonly Referrer[]> {
  const index = parseManifest(bytes, OCI_INDEX)
  if (!index.ok) return index
  const { manifests } = JSON.parse(bytes.toString('utf8')) as { readonly manifests?: unknown }
  const entries: readonly unknown[] = Array.isArray(manifests) ? manifests : []
  return parsed(
    entries.flatMap((entry) => {
      const descriptor = parseDescriptor(entry)
      return descriptor.ok && isObject(entry) ? [{ digest: descriptor.value.digest, entry }] : []
    }),
  )
}

/** The index that is kept under the fallback tag, OCI distribution-spec, "Referrers Tag Schema". */
export function formatReferrerList(referrers: readonly Referrer[]): Parsed<Manifest> {
  const manifests = referrers.map(({ entry }) => entry)
  const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
  const manifest = parseManifest(Buffer.from(JSON.stringify(list)), OCI_INDEX)
  return manifest.ok ? manifest : unparsable(`the list of referrers: ${manifest.reason}`)
}
