import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference } from '../oci/reference.ts'
import type { ContentSource, Held, ManifestHead } from './ports.ts'
import type { ReplicationRequest } from './request.ts'

/** Where it is looked for. */
type Manifests = Pick<ContentSource, 'headManifest' | 'getManifest'>

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
  source: Manifests,
  local: Held | undefined,
  signal: AbortSignal,
): Promise<Found> {
  let wanted = reference
  if (local !== undefined || announcedDigest !== undefined) {
    const head = await settledHead(source, reference, announcedDigest, signal)
    if (head !== undefined) {
      if (head.digest === local?.digest) return { kind: 'same', digest: head.digest }
      if (head.manifest !== undefined) return { kind: 'other', manifest: head.manifest }
      // By digest from here on: the tag may move on while it is being copied.
      wanted = head.digest
    }
    // Some caches answer 404 to HEAD alone: a GET tells.
  }
  const manifest = await manifestAt(wanted, reference, source, signal)
  if (manifest === undefined) return { kind: 'none' }
  return manifest.digest === local?.digest
    ? { kind: 'same', digest: manifest.digest }
    : { kind: 'other', manifest }
}

/** A pull-through cache may know it by its tag alone, until somebody gets it by that (ECR). */
async function manifestAt(
  wanted: Reference,
  reference: Reference,
  source: Manifests,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  const manifest = await source.getManifest(wanted, signal)
  if (manifest !== undefined || wanted === reference) return manifest
  return await source.getManifest(reference, signal)
}

/**
 * What upstream's tag points at. A push is announced before its tag is written (distribution 2.8
 * and 3.x), so the tag gets a moment to become what was announced. If it does not, the event was
 * overtaken by another push: upstream's tag is the truth, not the event.
 */
async function settledHead(
  source: Manifests,
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
