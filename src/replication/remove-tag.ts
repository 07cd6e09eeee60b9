import type { Digest } from '../oci/digest.ts'
import { isTag, type Tag } from '../oci/reference.ts'
import type { Outcome } from './outcome.ts'
import type { ContentSource, RemovalTarget } from './ports.ts'
import type { ReplicationRequest } from './request.ts'

/** Of a repository whose tags have to be read one by one before a digest may go. */
const MAX_TAGS = 1_000

export interface Removal {
  readonly source: (upstream: string) => ContentSource
  readonly target: RemovalTarget
  readonly signal: AbortSignal
}

/**
 * Removes a tag from the local registry that an upstream says it has deleted, if no upstream of the
 * request has it any more. What happened since the event counts, not the event.
 *
 * @throws ReplicationError when one of them cannot be asked: then nothing is removed
 */
export async function removeTag(
  { reference, upstreams }: ReplicationRequest,
  { source, target, signal }: Removal,
): Promise<Outcome> {
  if (!isTag(reference)) return refused('only tags are removed')
  for (const upstream of upstreams) {
    const there = await source(upstream).headManifest(reference, signal)
    if (there !== undefined) return refused(`upstream "${upstream}" has it still, or again`)
  }
  const local = await target.headManifest(reference, signal)
  if (local === undefined) return refused('not held locally')
  if (await target.deleteManifest(reference, signal)) return removed(local.digest)
  // distribution 2 deletes by digest only, and every tag of that digest with it.
  const needs = await whoNeeds(local.digest, reference, { target, signal })
  if (needs !== undefined) return refused(needs)
  if (await target.deleteManifest(local.digest, signal)) return removed(local.digest)
  return refused(
    'the local registry takes no deletions; with CNCF distribution, set storage.delete.enabled',
  )
}

/** Undefined when the digest can go with this tag. */
async function whoNeeds(
  digest: Digest,
  gone: Tag,
  { target, signal }: Omit<Removal, 'source'>,
): Promise<string | undefined> {
  let read = 0
  let complete = false
  for await (const page of target.tags(signal)) {
    for (const tag of page) {
      if (tag === gone) {
        complete = true
        continue
      }
      if (++read > MAX_TAGS) {
        return `the local registry deletes by digest only, and there are too many tags to see whether one needs it; delete the tag by hand`
      }
      if (await isNeededBy(tag, digest, { target, signal })) {
        return `the local registry deletes by digest only, and tag ${tag} needs ${digest}; CNCF distribution 3 deletes tags`
      }
    }
  }
  // A list without the tag that is there is not one to delete by.
  return complete
    ? undefined
    : 'the local registry deletes by digest only, and does not list its tags; delete the tag by hand'
}

async function isNeededBy(
  tag: Tag,
  digest: Digest,
  { target, signal }: Omit<Removal, 'source'>,
): Promise<boolean> {
  const manifest = await target.getManifest(tag, signal)
  if (manifest === undefined) return false
  return manifest.digest === digest || manifest.children.some((child) => child.digest === digest)
}

function removed(digest: Digest): Outcome {
  return { kind: 'deleted', digest }
}

function refused(reason: string): Outcome {
  return { kind: 'refused', reason }
}
