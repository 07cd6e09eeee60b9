import type { Digest } from '../oci/digest.ts'
import { isTag, type Reference, type Repository } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type { Trigger } from '../replication/request.ts'
import { type Decision, ignore } from './decision.ts'
import { matchersOf, upstreamName } from './matching.ts'
import type { Project } from './project.ts'

/** What is asked for, under its local name. */
export interface Wanted {
  readonly eventId: string
  readonly repository: Repository
  readonly reference: Reference
  readonly trigger: Trigger
  readonly onlyIfPresent: boolean
  readonly announcedDigest?: Digest
  readonly source?: string
}

/** What a project makes of what its upstream tells. */
export interface Wish extends Omit<Wanted, 'eventId' | 'repository' | 'source'> {
  /** As in `Decision`. */
  readonly unlessCheckedWithinMs?: number
  readonly cause?: string
}

/** The request for it, unless the project's filters keep it out. */
export function replicate(project: Project, wanted: Wanted): Decision {
  const { repository, reference } = wanted
  const passes = matchersOf(project)
  if (!passes.repository(repository)) return ignore('repository-filtered')
  if (!letsThrough(project, reference)) return ignore('tag-filtered')
  const upstreamRepository = upstreamName(repository, project)
  if (upstreamRepository === undefined) return ignore('name-too-long')
  const { upstreams, platforms, referrers } = project
  return {
    kind: 'replicate',
    request: { ...wanted, upstreamRepository, upstreams, platforms, referrers },
  }
}

/** Whether the project's filter of tags leaves it in. */
export function letsThrough(project: Project, reference: Reference): boolean {
  return !isTag(reference) || isReferrer(reference, project) || matchersOf(project).tag(reference)
}

/** A signature goes with the image that it signs, whatever its own tag looks like. */
function isReferrer(reference: Reference, { referrers }: Project): boolean {
  return referrers && parseReferrerTag(reference) !== undefined
}
