import type { Digest } from '../../oci/digest.ts'
import { formatReferrerList, type Referrer } from '../../oci/referrer-list.ts'
import type { Manifest } from '../../oci/manifest.ts'

/** The local registry's entries, and those that only upstream has. */
export function unite(
  local: readonly Referrer[],
  upstream: readonly Referrer[],
): readonly Referrer[] {
  const known = new Set(local.map(({ digest }) => digest))
  return [...local, ...upstream.filter(({ digest }) => !known.has(digest))]
}

export interface ReferrerPage {
  readonly list: Manifest
  /** Of the last entry, where there are more. */
  readonly last?: Digest
}

export interface ReferrerWish {
  readonly artifactType?: string
  /** The last entry of the page before. */
  readonly after?: string
}

/** A page is as large as a manifest may be, with room for its frame. */
const MAX_BYTES = 3 * 1024 * 1024

/** In the order of their digests, so that pages fit together. Undefined when there is no such list. */
export function referrerPage(
  referrers: readonly Referrer[],
  { artifactType, after }: ReferrerWish,
): ReferrerPage | undefined {
  const wanted = referrers
    .filter(({ entry }) => artifactType === undefined || entry['artifactType'] === artifactType)
    .filter(({ digest }) => after === undefined || digest > after)
    .sort((a, b) => (a.digest < b.digest ? -1 : 1))
  const page = fitting(wanted)
  const list = formatReferrerList(page)
  if (!list.ok) return undefined
  const last = page.length < wanted.length ? page.at(-1)?.digest : undefined
  return { list: list.value, ...(last !== undefined && { last }) }
}

function fitting(wanted: readonly Referrer[]): readonly Referrer[] {
  let left = MAX_BYTES
  const end = wanted.findIndex(({ entry }) => {
    left -= Buffer.byteLength(JSON.stringify(entry)) + 1
    return left < 0
  })
  // One that is as large as a whole page comes alone, rather than never.
  return end === -1 ? wanted : wanted.slice(0, Math.max(end, 1))
}
