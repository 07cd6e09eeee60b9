import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'
import type { Reference } from '../../oci/reference.ts'
import { ReferrerCopies } from './referrers/copy-referrers.ts'
import type { GraphCopy } from './graph-copy.ts'
import { GraphWalk } from './graph-walk.ts'
import { heldBelow } from './referrers/held-below.ts'

/**
 * Copies a manifest with everything below it, and with what refers to any of it where that is wanted;
 * the manifest itself comes last, under `reference`.
 */
export async function copyGraph(
  copy: GraphCopy,
  root: Manifest,
  reference: Reference,
): Promise<void> {
  const referrers = copy.referrers ? new ReferrerCopies(copy, copyTree) : undefined
  await new GraphWalk(copy, referrers).copy(root, reference)
}

export interface HowFar {
  /** Also what refers to the manifests below it, and to those of its referrers that are here already. */
  readonly whole?: boolean
}

/** Brings what refers to a manifest that is here already. */
export async function copyReferrers(
  copy: GraphCopy,
  subject: Digest,
  { whole = false }: HowFar = {},
): Promise<void> {
  const referrers = new ReferrerCopies(copy, copyTree, { ofHeld: whole })
  referrers.begin(subject)
  if (whole) for (const below of await heldBelow(subject, copy)) referrers.begin(below)
  await referrers.settled()
  if (referrers.wantSubjectsFirst) await referrers.afterSubjects()
  copy.signal.throwIfAborted()
}

async function copyTree(copy: GraphCopy, root: Manifest, reference: Reference): Promise<void> {
  await new GraphWalk(copy).copy(root, reference)
}
