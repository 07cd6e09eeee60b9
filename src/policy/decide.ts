import type { Digest } from '../oci/digest.ts'
import { type ImageName, isTag, type Reference, type Repository } from '../oci/reference.ts'
import type { MissEvent, PushEvent, RegistryEvent } from '../events/registry-event.ts'
import type { Trigger } from '../replication/request.ts'
import type { Decision, IgnoreReason } from './decision.ts'
import { localName, matchersOf, projectOfLocal, upstreamName } from './matching.ts'
import type { Project } from './project.ts'

/** Where an event comes from, by its source's configuration and never by its own word. */
export interface Origin {
  /** `local` or an upstream's id. */
  readonly registry: string
  /** The account that pullsync itself uses there; what it does is no news. */
  readonly account?: string | undefined
}

/** How pullsync's own requests name themselves to registries: `pullsync/<version>`. */
const OWN_USER_AGENT = 'pullsync/'

/** Pure: the same event, origin and projects always give the same decision. */
export function decide(
  event: RegistryEvent,
  origin: Origin,
  projects: readonly Project[],
): Decision {
  if (isOwn(event, origin)) return ignore('own-activity')
  switch (event.action) {
    case 'miss':
      // Only the local registry's misses mean anything, whichever registry the source is said to be of.
      return decideMiss(event, projects)
    case 'push':
      return origin.registry === 'local'
        ? ignore('local-push')
        : decideUpstreamPush(event, origin.registry, projects)
    case 'pull':
    case 'delete':
      return ignore(event.action)
  }
}

/** Somebody asks for this image by hand: `autoSync: false` does not matter, the filters do. */
export function decideManual(
  { repository, reference, eventId }: ImageName & { readonly eventId: string },
  projects: readonly Project[],
): Decision {
  const project = projectOfLocal(repository, projects)
  if (project === undefined) return ignore('unknown-project')
  const trigger = 'manual'
  return replicate(project, { eventId, repository, reference, trigger, onlyIfPresent: false })
}

function decideMiss(event: MissEvent, projects: readonly Project[]): Decision {
  const project = projectOfLocal(event.repository, projects)
  if (project === undefined) return ignore('unknown-project')
  if (!project.autoSync) return ignore('auto-sync-off')
  const { id: eventId, repository, reference } = event
  return replicate(project, {
    eventId,
    repository,
    reference,
    trigger: 'miss',
    onlyIfPresent: false,
  })
}

function decideUpstreamPush(
  event: PushEvent,
  upstream: string,
  projects: readonly Project[],
): Decision {
  const local = localName(event.repository, upstream, projects)
  if (local === undefined) return ignore('unknown-project')
  const { project, repository } = local
  if (!project.autoSync) return ignore('auto-sync-off')
  if (project.onUpstreamPush === 'ignore') return ignore('upstream-push-ignored')
  // The children of an index are pushed by digest, one by one, before the index that is tagged.
  if (event.tag === undefined) return ignore('nothing-named')
  if (repository === undefined) return ignore('name-too-long')
  return replicate(project, {
    eventId: event.id,
    repository,
    reference: event.tag,
    trigger: 'push',
    onlyIfPresent: project.onUpstreamPush === 'refresh',
    ...(event.digest !== undefined && { announcedDigest: event.digest }),
  })
}

interface Wanted {
  readonly eventId: string
  readonly repository: Repository
  readonly reference: Reference
  readonly trigger: Trigger
  readonly onlyIfPresent: boolean
  readonly announcedDigest?: Digest
}

function replicate(project: Project, wanted: Wanted): Decision {
  const { repository, reference } = wanted
  const passes = matchersOf(project)
  if (!passes.repository(repository)) return ignore('repository-filtered')
  if (isTag(reference) && !passes.tag(reference)) return ignore('tag-filtered')
  const upstreamRepository = upstreamName(repository, project)
  if (upstreamRepository === undefined) return ignore('name-too-long')
  const { upstreams, platforms, referrers } = project
  return {
    kind: 'replicate',
    request: { ...wanted, upstreamRepository, upstreams, platforms, referrers },
  }
}

/**
 * What pullsync does to the local registry echoes in its events. What a pullsync does to an upstream
 * is news here: it fills that registry from one further up. Two that mirror each other settle,
 * because an equal digest is not pushed.
 */
function isOwn(event: RegistryEvent, { registry, account }: Origin): boolean {
  if (registry !== 'local' && event.action !== 'miss') return false
  const { actor, userAgent } = event
  const own = userAgent?.startsWith(OWN_USER_AGENT) ?? false
  return own || (account !== undefined && account !== '' && actor === account)
}

function ignore(reason: IgnoreReason): Decision {
  return { kind: 'ignore', reason }
}
