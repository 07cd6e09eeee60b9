import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../../oci/digest.ts'
import type { Tag } from '../../oci/reference.ts'
import { formatReferrerList, parseReferrerList, type Referrer } from '../../oci/referrer-list.ts'
import { referrerTag } from '../../oci/referrer-tag.ts'
import type { BlobLedger } from './blob-ledger.ts'
import type { ContentTarget } from '../ports.ts'

interface Listing {
  readonly target: ContentTarget
  readonly ledger: BlobLedger
  readonly signal: AbortSignal
}

// Another worker needs a moment for the same list; one that died there, until its lease lapses.
const LOOK_EVERY_MS = 50
const LOOKS = 160

/**
 * Enters the referrers in the index under the subject's fallback tag, where the local registry keeps
 * no such list by itself. OCI distribution-spec, "Pushing Manifests with Subject". What stands there
 * already stays: the local registry may have referrers of its own.
 */
export async function listLocally(
  { target, ledger, signal }: Listing,
  subject: Digest,
  referrers: readonly Referrer[],
): Promise<void> {
  const tag = referrerTag(subject, 'fallback')
  if (tag === undefined) return
  // Two that read the list at once and write it one after the other would lose an entry.
  const lease = await leased(ledger, subject, signal)
  try {
    await enter(target, { tag, referrers }, signal)
  } finally {
    await lease?.[Symbol.asyncDispose]()
  }
}

async function enter(
  target: ContentTarget,
  { tag, referrers }: { readonly tag: Tag; readonly referrers: readonly Referrer[] },
  signal: AbortSignal,
): Promise<void> {
  const index = await target.getManifest(tag, signal)
  const before = index === undefined ? [] : listIn(index.bytes)
  const known = new Set(before.map(({ digest }) => digest))
  const added = referrers.filter(({ digest }) => !known.has(digest))
  if (added.length === 0) return
  const list = formatReferrerList([...before, ...added])
  if (!list.ok) throw new Error(list.reason)
  await target.putManifest(tag, list.value, signal)
}

// What is not a list, or not one that can be read, is not worth keeping under this tag.
function listIn(bytes: Buffer): readonly Referrer[] {
  const list = parseReferrerList(bytes)
  return list.ok ? list.value : []
}

async function leased(
  ledger: BlobLedger,
  subject: Digest,
  signal: AbortSignal,
): Promise<AsyncDisposable | undefined> {
  const state = { holder: randomUUID(), origin: '', bytes: 0 }
  for (let look = 0; look < LOOKS; look += 1) {
    const lease = await ledger.lease(subject, state)
    if (lease !== undefined) return lease
    await delay(LOOK_EVERY_MS, undefined, { signal })
  }
  // Whoever holds it for so long is not writing a list.
  return undefined
}
