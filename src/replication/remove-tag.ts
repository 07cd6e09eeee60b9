import type { Digest } from '../oci/digest.ts'
import { isTag, type Tag } from '../oci/reference.ts'
import type { LocalTags } from './local-tags.ts'
import type { Outcome } from './outcome.ts'
import type { ContentSource, RemovalTarget } from './ports.ts'
import type { ReplicationRequest } from './request.ts'
import type { ConfirmRight, WithRightTo } from './tag-right.ts'
import { whoNeeds } from './who-needs.ts'

export interface Removal {
  readonly source: (upstream: string) => ContentSource
  readonly target: RemovalTarget
  readonly localTags: LocalTags
  /** As in `Replication`. */
  readonly confirmRight?: ConfirmRight
  readonly withRightTo: WithRightTo
  readonly signal: AbortSignal
}

/**
 * Removes from the local registry what an upstream says it has deleted: the tag that the request names,
 * and every tag of the digest that it names or announces, if no upstream of the request has that tag any
 * more. What happened since the event counts, not the event.
 *
 * @throws ReplicationError when one of them cannot be asked: then nothing more is removed
 */
export async function removeTag(request: ReplicationRequest, removal: Removal): Promise<Outcome> {
  const { reference } = request
  const ends: End[] = []
  if (isTag(reference)) ends.push(await removeOne(reference, request, removal))
  for (const tag of await othersOf(request, removal))
    ends.push(await removeOther(tag, request, removal))
  ends.push(...(await removeDigests(ends, removal)))
  const outcomes = ends.filter((end) => end.kind !== 'by-digest')
  return (
    outcomes.find(({ kind }) => kind === 'deleted') ??
    outcomes[0] ??
    refused('no tag here is of it')
  )
}

/** How it went with one tag. */
type End = Outcome | ByDigest

/** The registry deletes by digest only, as distribution 2: every tag of that digest goes with it. */
interface ByDigest {
  readonly kind: 'by-digest'
  readonly tag: Tag
  readonly digest: Digest
}

async function othersOf(
  { reference, announcedDigest }: ReplicationRequest,
  { target, localTags, signal }: Removal,
): Promise<readonly Tag[]> {
  const digest = isTag(reference) ? announcedDigest : reference
  if (digest === undefined || (await target.heldAt(digest, signal)) === undefined) return []
  return (await localTags.of(digest, target, signal)).filter((tag) => tag !== reference)
}

async function removeOther(tag: Tag, request: ReplicationRequest, removal: Removal): Promise<End> {
  const ended = await removal.withRightTo(tag, (confirmRight) =>
    removeOne(tag, request, { ...removal, confirmRight }),
  )
  return ended ?? refused(`tag ${tag} is being written`)
}

async function removeOne(
  tag: Tag,
  { reference, announcedDigest, upstreams }: ReplicationRequest,
  { source, target, signal, confirmRight }: Removal,
): Promise<End> {
  const local = await target.heldAt(tag, signal)
  if (local === undefined) return refused('not held locally')
  const wanted = isTag(reference) ? announcedDigest : reference
  if (tag !== reference && local.digest !== wanted) return refused(`tag ${tag} has moved`)
  for (const upstream of upstreams) {
    const there = await source(upstream).headManifest(tag, signal, { certain: true })
    if (there !== undefined) return refused(`upstream "${upstream}" has it still, or again`)
  }
  await confirmRight?.()
  if (await target.deleteManifest(tag, signal)) return removed(local.digest)
  return local.digest === undefined
    ? refused('the local registry withholds what it is')
    : { kind: 'by-digest', tag, digest: local.digest }
}

async function removeDigests(ends: readonly End[], removal: Removal): Promise<readonly Outcome[]> {
  const left = ends.filter((end) => end.kind === 'by-digest')
  const digests = [...new Set(left.map(({ digest }) => digest))]
  const outcomes: Outcome[] = []
  for (const digest of digests) {
    const gone = new Set(left.filter((each) => each.digest === digest).map(({ tag }) => tag))
    outcomes.push(await removeDigest(digest, gone, removal))
  }
  return outcomes
}

async function removeDigest(
  digest: Digest,
  gone: ReadonlySet<Tag>,
  { target, signal, confirmRight }: Removal,
): Promise<Outcome> {
  const needs = await whoNeeds(digest, gone, { target, signal })
  if (needs !== undefined) {
    return remains(
      `the local registry deletes by digest only, and ${needs}; delete the tag by hand, or use a registry that deletes tags, as CNCF distribution 3`,
    )
  }
  await confirmRight?.()
  if (await target.deleteManifest(digest, signal)) return removed(digest)
  return remains(
    'the local registry takes no deletions; with CNCF distribution, set storage.delete.enabled',
  )
}

function removed(digest: Digest | undefined): Outcome {
  return { kind: 'deleted', ...(digest !== undefined && { digest }) }
}

function refused(reason: string): Outcome {
  return { kind: 'refused', reason }
}

/** Clients still get what upstream has withdrawn, until somebody acts. */
function remains(reason: string): Outcome {
  return { kind: 'refused', reason, failure: true }
}
