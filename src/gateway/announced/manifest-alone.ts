import type { IncomingMessage } from 'node:http'
import type { Manifest } from '../../oci/manifest.ts'
import { isTag } from '../../oci/reference.ts'
import { type ListedUpstream, listedUpstream } from '../lists/listed-upstream.ts'
import type { MissAnswer } from '../manifests/miss-answer.ts'
import { answerMiss, type Miss } from '../manifests/misses.ts'
import { manifestOf, type AnnouncedDeps } from './announced-image.ts'

/**
 * Of a project that leaves platforms out: upstream's manifest of one image, for a client that asks for it by its digest. Some
 * read the manifests of all platforms and want one of them (`ctr` of containerd 2.4); so the image itself comes once one of
 * its blobs is asked for. Undefined where the usual way is right: of what is no image, and where all platforms come.
 * Rejects only when `signal` is aborted.
 */
export async function manifestAlone(
  { url = '' }: IncomingMessage,
  miss: Miss,
  deps: AnnouncedDeps,
  signal: AbortSignal,
): Promise<MissAnswer | undefined> {
  const { repository, reference } = miss.event
  const listed = listedUpstream(repository, url, deps.config())
  if (isTag(reference) || listed === undefined || !mayLack(listed, miss)) return undefined
  if (!(await deps.rights.givesAhead(repository))) return undefined
  // Of an image that a tag names, the tag is meant.
  if ((await deps.announced.tagOf(repository, reference)) !== undefined) return undefined
  const looked = await answerMiss({ ...miss, method: 'HEAD', accepts: () => true }, deps, signal)
  if (looked.kind !== 'upstream') return looked
  const manifest = await manifestOf(reference, listed, deps)
  return manifest && isImageFor(miss, manifest) ? { kind: 'on-the-way', manifest } : undefined
}

function mayLack({ project }: ListedUpstream, { method }: Miss): boolean {
  return method === 'GET' && project.platforms !== 'all' && project.onMiss !== 'async'
}

function isImageFor({ accepts }: Miss, { children, mediaType }: Manifest): boolean {
  return children.length === 0 && accepts(mediaType)
}
