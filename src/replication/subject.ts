import type { Digest } from '../oci/digest.ts'
import { isTag } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type { Refused } from './outcome.ts'
import type { ContentTarget } from './ports.ts'
import type { ReplicationRequest } from './request.ts'

interface Holder {
  readonly target: Pick<ContentTarget, 'heldAt'>
  /** Awaited when something refers to what is not held. */
  readonly awaits?: (subject: Digest) => Promise<void>
  readonly signal: AbortSignal
}

/** Something was pushed upstream by its digest alone. It is news if it refers to an image that is held here. */
export function mayReferTo({ reference, trigger }: ReplicationRequest): boolean {
  return trigger === 'revalidate' && !isTag(reference)
}

/** A signature is wanted where what it signs is held. */
function subjectOf({ reference, referrers, trigger }: ReplicationRequest): Digest | undefined {
  if (!isTag(reference)) return trigger === 'push' ? reference : undefined
  return referrers ? parseReferrerTag(reference)?.subject : undefined
}

/** It may be on its way: whoever brings it is told first of what refers to it. */
export async function isHeld(
  subject: Digest,
  { target, signal, awaits }: Holder,
): Promise<boolean> {
  if ((await target.heldAt(subject, signal)) !== undefined) return true
  await awaits?.(subject)
  return (await target.heldAt(subject, signal)) !== undefined
}

/** Of what is not here: the outcome where it is not to be brought. */
export async function whyUnwanted(
  request: ReplicationRequest,
  holder: Holder,
): Promise<Refused | undefined> {
  if (!request.onlyIfPresent || mayReferTo(request)) return undefined
  const subject = subjectOf(request)
  if (subject !== undefined && (await isHeld(subject, holder))) return undefined
  const reason = 'not held locally, and only what is held is refreshed'
  return { kind: 'refused', reason, ...(subject !== undefined && { awaits: subject }) }
}
