import type { PushEvent } from '../events/registry-event.ts'
import type { Project } from './project.ts'
import type { Wish } from './replicate-decision.ts'

/** A digest is what it is: one that was looked at is not looked at again when it is told of once more. */
const LOOKED_AT_FOR_MS = 24 * 3_600_000

/**
 * What a push by digest asks for. Signatures, SBOMs and attestations are told of in no other way by
 * registries with the referrers API; the children of an index are pushed like that, too, one by one. So
 * what the sender does not say of a manifest is looked up, when there is time for it.
 */
export function referrerWish({ digest, subject }: PushEvent, project: Project): Wish | undefined {
  if (!project.referrers || subject === 'none') return undefined
  const onlyIfPresent = true
  if (subject !== undefined) return { reference: subject, trigger: 'push', onlyIfPresent }
  if (digest === undefined) return undefined
  return {
    reference: digest,
    trigger: 'revalidate',
    onlyIfPresent,
    unlessCheckedWithinMs: LOOKED_AT_FOR_MS,
  }
}
