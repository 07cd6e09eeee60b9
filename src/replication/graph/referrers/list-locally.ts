import type { Digest } from '../../../oci/digest.ts'
import type { Tag } from '../../../oci/reference.ts'
import { formatReferrerList, parseReferrerList, type Referrer } from '../../../oci/referrer-list.ts'
import { referrerTag } from '../../../oci/referrer-tag.ts'
import type { GraphCopy } from '../graph-copy.ts'
import type { ContentTarget } from '../../ports.ts'
import type { ConfirmRight } from '../../tag-right.ts'
import { withReferrerRight } from './referrer-right.ts'

type Listing = Pick<GraphCopy, 'target' | 'withRightTo' | 'signal'>

/**
 * Enters the referrers in the index under the subject's fallback tag, where the local registry keeps
 * no such list by itself. OCI distribution-spec, "Pushing Manifests with Subject". What stands there
 * already stays: the local registry may have referrers of its own.
 */
export async function listLocally(
  listing: Listing,
  subject: Digest,
  referrers: readonly Referrer[],
): Promise<void> {
  const tag = referrerTag(subject, 'fallback')
  if (tag === undefined) return
  const { target, signal } = listing
  // Two that read the list at once and write it one after the other would lose an entry.
  await withReferrerRight(listing, tag, (confirm) =>
    enter({ target, confirm, signal }, tag, referrers),
  )
}

interface Entering {
  readonly target: ContentTarget
  readonly confirm: ConfirmRight
  readonly signal: AbortSignal
}

async function enter(
  { target, confirm, signal }: Entering,
  tag: Tag,
  referrers: readonly Referrer[],
): Promise<void> {
  const index = await target.getManifest(tag, signal)
  const before = index === undefined ? [] : listIn(index.bytes)
  const known = new Set(before.map(({ digest }) => digest))
  const added = referrers.filter(({ digest }) => !known.has(digest))
  if (added.length === 0) return
  const list = formatReferrerList([...before, ...added])
  if (!list.ok) throw new Error(list.reason)
  await confirm()
  await target.putManifest(tag, list.value, signal)
}

// What is not a list, or not one that can be read, is not worth keeping under this tag.
function listIn(bytes: Buffer): readonly Referrer[] {
  const list = parseReferrerList(bytes)
  return list.ok ? list.value : []
}
