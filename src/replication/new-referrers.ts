import type { Digest } from '../oci/digest.ts'
import type { ContentSource, ContentTarget } from './ports.ts'
import { messageOf } from '../thrown.ts'

interface Lists {
  readonly source: Pick<ContentSource, 'listReferrersByApi'>
  readonly target: Pick<ContentTarget, 'listReferrers'>
  readonly signal: AbortSignal
  readonly log: (line: string) => void
}

/**
 * Whether upstream's referrers API lists something of the manifest that the local registry does not. One
 * request upstream; where it has no such API, or does not answer, nothing is known to be new.
 */
export async function hasNewReferrers(
  subject: Digest,
  { source, target, signal, log }: Lists,
): Promise<boolean> {
  try {
    const there = (await source.listReferrersByApi(subject, signal)) ?? []
    if (there.length === 0) return false
    const here = new Set((await target.listReferrers(subject, signal)).map(({ digest }) => digest))
    return there.some(({ digest }) => !here.has(digest))
  } catch (error) {
    signal.throwIfAborted()
    // The image is right all the same, and the next look asks again.
    log(`could not look for new referrers: ${messageOf(error)}`)
    return false
  }
}
