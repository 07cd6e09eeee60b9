import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference } from '../oci/reference.ts'
import type { ContentSource, ManifestHead } from './ports.ts'
import type { ReplicationRequest } from './request.ts'

export type Found =
  | { readonly kind: 'same'; readonly digest: Digest }
  | { readonly kind: 'other'; readonly manifest: Manifest }
  | { readonly kind: 'none' }

/**
 * What upstream has under the request's reference: the same as `local`, something else, or nothing.
 * A GET counts against upstream's limits, so a HEAD goes first wherever it can save the GET.
 */
export async function findManifest(
  { reference, announcedDigest }: ReplicationRequest,
  source: ContentSource,
  local: ManifestHead | undefined,
  signal: AbortSignal,
): Promise<Found> {
  let wanted = reference
  if (local !== undefined || announcedDigest !== undefined) {
    const head = await settledHead(source, reference, announcedDigest, signal)
    if (head === undefined) return { kind: 'none' }
    if (head.digest === local?.digest) return { kind: 'same', digest: head.digest }
    // By digest from here on: the tag may move on while it is being copied.
    wanted = head.digest
  }
  const manifest = await source.getManifest(wanted, signal)
  return manifest === undefined ? { kind: 'none' } : { kind: 'other', manifest }
}

/**
 * What upstream's tag points at. A push is announced before its tag is written (distribution 2.8
 * and 3.x), so the tag gets a moment to become what was announced. If it does not, the event was
 * overtaken by another push: upstream's tag is the truth, not the event.
 */
async function settledHead(
  source: ContentSource,
  reference: Reference,
  announcedDigest: Digest | undefined,
  signal: AbortSignal,
): Promise<ManifestHead | undefined> {
  let head = await source.headManifest(reference, signal)
  if (announcedDigest === undefined) return head
  for (const waitMs of SETTLE_MS) {
    if (head?.digest === announcedDigest) break
    await delay(waitMs, undefined, { signal })
    head = await source.headManifest(reference, signal)
  }
  return head
}

// Measured: the tag follows within a few milliseconds; the rest is for slow storage.
const SETTLE_MS = [20, 80, 300, 1_000]
