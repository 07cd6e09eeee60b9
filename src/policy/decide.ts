import type { ImageName, Repository, Tag } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type {
  DeleteEvent,
  MissEvent,
  PullEvent,
  PushEvent,
  RegistryEvent,
} from '../events/registry-event.ts'
import { type Decision, ignore, type IgnoreReason } from './decision.ts'
import { localName, projectOfLocal } from './matching.ts'
import type { Project } from './project.ts'
import { referrerWish } from './referrer-wish.ts'
import { replicate, type Wish } from './replicate-decision.ts'

/** Where an event comes from, by its source's configuration and never by its own word. */
export interface Origin {
  /** `local` or an upstream's id. */
  readonly registry: string
  /** The account that pullsync itself uses there; what it does is no news. */
  readonly account?: string | undefined
  /** Who is told of it: a source's id, or what stands for one. */
  readonly source?: string
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
      return decideMiss(event, origin, projects)
    case 'push':
      return origin.registry === 'local'
        ? ignore('local-push')
        : decideUpstreamPush(event, origin.registry, projects)
    case 'pull':
      return origin.registry === 'local' ? decideLocalPull(event, projects) : ignore('pull')
    case 'delete':
      // What was deleted here is not wanted here: it is not fetched back.
      return origin.registry === 'local'
        ? ignore('delete')
        : decideUpstreamDelete(event, origin.registry, projects)
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

/** The clock asks whether a tag that is here has moved upstream. Signatures are looked at with their images. */
export function decideResync(
  { repository, tag, eventId }: { repository: Repository; tag: Tag; eventId: string },
  projects: readonly Project[],
): Decision {
  const project = projectOfLocal(repository, projects)
  if (project === undefined) return ignore('unknown-project')
  if (!project.autoSync) return ignore('auto-sync-off')
  if (project.referrers && parseReferrerTag(tag) !== undefined) return ignore('tag-filtered')
  const wanted = { eventId, repository, reference: tag, trigger: 'resync' } as const
  return replicate(project, { ...wanted, onlyIfPresent: true })
}

function decideMiss(event: MissEvent, { source }: Origin, projects: readonly Project[]): Decision {
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
    ...(source !== undefined && { source }),
  })
}

/**
 * A pull of what is here: by tag it is the occasion to look whether upstream's has moved. What is
 * under a digest stays what it is.
 */
function decideLocalPull(event: PullEvent, projects: readonly Project[]): Decision {
  const { id: eventId, repository, tag: reference } = event
  if (reference === undefined) return ignore('pull')
  const project = projectOfLocal(repository, projects)
  if (project === undefined) return ignore('unknown-project')
  if (!project.autoSync) return ignore('auto-sync-off')
  const trigger = 'revalidate'
  const wanted = { eventId, repository, reference, trigger, onlyIfPresent: true } as const
  const decision = replicate(project, wanted)
  if (decision.kind === 'ignore') return decision
  return { ...decision, unlessCheckedWithinMs: project.revalidateAfterMs }
}

function decideUpstreamPush(
  event: PushEvent,
  upstream: string,
  projects: readonly Project[],
): Decision {
  const { tag, digest } = event
  return decideUpstream({ event, upstream }, projects, (project) => {
    if (project.onUpstreamPush === 'ignore') return 'upstream-push-ignored'
    if (tag === undefined) return referrerWish(event, project) ?? 'nothing-named'
    return {
      reference: tag,
      trigger: 'push',
      onlyIfPresent: project.onUpstreamPush === 'refresh',
      ...(digest !== undefined && { announcedDigest: digest }),
    }
  })
}

/** A digest may be that of a blob, of whose deletion distribution tells in the same words: nothing here has it. */
function decideUpstreamDelete(
  event: DeleteEvent,
  upstream: string,
  projects: readonly Project[],
): Decision {
  const { tag, digest, cause } = event
  return decideUpstream({ event, upstream }, projects, (project) => {
    if (project.onUpstreamDelete === 'keep') return 'delete'
    const told = cause !== undefined && { cause }
    const wish = { trigger: 'delete', onlyIfPresent: true, ...told } as const
    if (tag === undefined) {
      return digest === undefined ? 'nothing-named' : { ...wish, reference: digest }
    }
    // Harbor tells of one of an artifact's tags: all that are of the digest are looked at.
    return { ...wish, reference: tag, ...(digest !== undefined && { announcedDigest: digest }) }
  })
}

interface UpstreamNews {
  readonly event: PushEvent | DeleteEvent
  readonly upstream: string
}

function decideUpstream(
  { event, upstream }: UpstreamNews,
  projects: readonly Project[],
  wishOf: (project: Project) => Wish | IgnoreReason,
): Decision {
  const local = localName(event.repository, upstream, projects)
  if (local === undefined) return ignore('unknown-project')
  const { project, repository } = local
  if (!project.autoSync) return ignore('auto-sync-off')
  const wish = wishOf(project)
  if (typeof wish === 'string') return ignore(wish)
  if (repository === undefined) return ignore('name-too-long')
  const { unlessCheckedWithinMs, cause, ...wanted } = wish
  const decision = replicate(project, { eventId: event.id, repository, ...wanted })
  if (decision.kind === 'ignore') return decision
  return {
    ...decision,
    ...(unlessCheckedWithinMs !== undefined && { unlessCheckedWithinMs }),
    ...(cause !== undefined && { cause }),
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
