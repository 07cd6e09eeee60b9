import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../oci/digest.ts'
import { isTag, type Tag } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import { TagBusyError } from './errors.ts'
import type { LocalTags } from './local-tags.ts'
import type { Outcome } from './outcome.ts'
import type { ContentSource, Held, RemovalTarget } from './ports.ts'
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

// A look at a tag takes a moment. Two that wait for each other's tag are not to wait long.
const LOOK_EVERY_MS = 50
const LOOKS = 20

/**
 * Removes from the local registry what an upstream says it has deleted: the tag that the request names,
 * and every tag of the digest that it names or announces, if no upstream of the request has that tag any
 * more. What happened since the event counts, not the event.
 *
 * @throws ReplicationError when one of them cannot be asked: then nothing more is removed
 */
export async function removeTag(request: ReplicationRequest, removal: Removal): Promise<Outcome> {
  const { reference } = request
  const own = isTag(reference) ? await removeOne(reference, request, removal) : undefined
  const ends: End[] = own === undefined ? [] : [own]
  // Who keeps the right to a tag that has to go with others does not wait for theirs: they may wait for this one.
  const looks = own?.kind === 'by-digest' ? 1 : LOOKS
  for (const tag of await othersOf(request, removal))
    ends.push(await removeOther(tag, looks, request, removal))
  ends.push(...(await removeDigests(ends, request, removal)))
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

async function removeOther(
  tag: Tag,
  looks: number,
  request: ReplicationRequest,
  removal: Removal,
): Promise<End> {
  const { target, signal } = removal
  for (let look = 1; ; look += 1) {
    const ended = await removal.withRightTo(tag, (confirmRight) =>
      removeOne(tag, request, { ...removal, confirmRight }),
    )
    if (ended !== undefined) return ended
    // By its own job, which may wait for this one's.
    if ((await target.heldAt(tag, signal)) === undefined) return refused(`tag ${tag} is gone`)
    // Whoever writes it may have looked at upstream before it was deleted there.
    if (look >= looks) {
      throw new TagBusyError(
        `another job is writing tag ${tag} of ${target.repository}, which may have been deleted upstream; it is looked at again`,
      )
    }
    await delay(LOOK_EVERY_MS, undefined, { signal })
  }
}

async function removeOne(tag: Tag, request: ReplicationRequest, removal: Removal): Promise<End> {
  const { target, signal, confirmRight } = removal
  const local = await target.heldAt(tag, signal)
  if (local === undefined) return refused('not held locally')
  if (hasMoved(tag, local, request)) return refused(`tag ${tag} has moved`)
  if (await listsForHeld(tag, request, { target, signal }))
    return refused('it lists what refers to an image that is here, also what only is here')
  const there = await whoHas(tag, request, removal)
  if (there !== undefined) return refused(there)
  await confirmRight?.()
  if (await target.deleteManifest(tag, signal)) return removed(local.digest)
  return local.digest === undefined
    ? refused('the local registry withholds what it is')
    : { kind: 'by-digest', tag, digest: local.digest }
}

async function whoHas(
  tag: Tag,
  { upstreams }: ReplicationRequest,
  { source, signal }: Removal,
): Promise<string | undefined> {
  for (const upstream of upstreams) {
    const there = await source(upstream).headManifest(tag, signal, { certain: true })
    if (there !== undefined) return `upstream "${upstream}" has it still, or again`
  }
  return undefined
}

/** A tag that is looked at for its digest alone. */
function hasMoved(
  tag: Tag,
  { digest }: Held,
  { reference, announcedDigest }: ReplicationRequest,
): boolean {
  return tag !== reference && digest !== (isTag(reference) ? announcedDigest : reference)
}

/** A list of referrers was added to, not replaced, and goes with the image that it is of. */
async function listsForHeld(
  tag: Tag,
  { referrers }: ReplicationRequest,
  { target, signal }: Pick<Removal, 'target' | 'signal'>,
): Promise<boolean> {
  const list = referrers ? parseReferrerTag(tag) : undefined
  if (list?.kind !== 'fallback') return false
  return (await target.heldAt(list.subject, signal)) !== undefined
}

async function removeDigests(
  ends: readonly End[],
  request: ReplicationRequest,
  removal: Removal,
): Promise<readonly Outcome[]> {
  const left = ends.filter((end) => end.kind === 'by-digest')
  const digests = [...new Set(left.map(({ digest }) => digest))]
  const outcomes: Outcome[] = []
  for (const digest of digests) {
    const gone = new Set(left.filter((each) => each.digest === digest).map(({ tag }) => tag))
    outcomes.push(await removeDigest(digest, gone, request, removal))
  }
  return outcomes
}

async function removeDigest(
  digest: Digest,
  gone: ReadonlySet<Tag>,
  request: ReplicationRequest,
  removal: Removal,
): Promise<Outcome> {
  const { target, signal, confirmRight } = removal
  const needs = await whoNeeds(digest, gone, { target, signal })
  if (needs !== undefined) {
    // By the job of the digest, or of another of its tags.
    if ((await target.heldAt(digest, signal)) === undefined) return refused('it is gone already')
    return remains(
      `the local registry deletes by digest only, and ${needs}; delete the tag by hand, or use a registry that deletes tags, as CNCF distribution 3`,
    )
  }
  // Reading what every tag is takes its time, and others may have written these meanwhile.
  for (const tag of gone) {
    const local = await target.heldAt(tag, signal)
    const kept = local?.digest === digest ? await whoHas(tag, request, removal) : undefined
    if (kept !== undefined) return refused(kept)
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
