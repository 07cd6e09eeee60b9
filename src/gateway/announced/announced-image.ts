import type { IncomingMessage } from 'node:http'
import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'
import { chooseChildren } from '../../oci/platforms.ts'
import type { Repository, Tag } from '../../oci/reference.ts'
import type { BlobPath } from '../blobs/blob-path.ts'
import { type ListedUpstream, listedUpstream } from '../lists/listed-upstream.ts'
import type { ListAsker } from '../lists/list-limits.ts'
import type { ListWish, UpstreamLists } from '../lists/upstream-lists.ts'
import { requestIdentity, upstreamHost } from '../manifests/request-identity.ts'
import { answerMiss, type MissesDeps } from '../manifests/misses.ts'
import { likelyFirst } from './likely-first.ts'

export interface AnnouncedDeps extends MissesDeps {
  readonly announced: {
    /** Manifests of upstreams that clients were told of, the latest first. Never rejects. */
    recent(repository: Repository): Promise<readonly Digest[]>
    tagOf(repository: Repository, digest: Digest): Promise<Tag | undefined>
  }
  /** By digest; one at most. */
  readonly upstreamManifests: UpstreamLists<Manifest>
  /** By digest; itself where an upstream gives it. */
  readonly upstreamBlobs: UpstreamLists<Digest>
}

export interface BringAnnouncedDeps extends AnnouncedDeps {
  /** For whom upstream is asked for a blob. */
  readonly askerOf: (upstreams: ListWish['upstreams']) => ListAsker
}

/**
 * Of a client that was told of an image and goes on to a blob of it: BuildKit, for one, that knows the manifest from
 * before asks for the tag by HEAD and then for a layer. Brings that image, as the GET of its manifest would have.
 *
 * @returns whether the blob is here now, or on its way
 */
export async function bringAnnouncedImage(
  request: IncomingMessage,
  { repository, digest }: BlobPath,
  deps: BringAnnouncedDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const place = await whereNamed(request, { repository, digest }, deps)
  signal.throwIfAborted()
  if (place === undefined) return false
  void deps.inFlight.ask(repository, digest)
  const { image: reference, child } = place
  const event = { action: 'miss', ...requestIdentity(request), repository, reference } as const
  // It takes the image, whose manifest it has.
  const how = { method: 'GET', mustBeHere: false, accepts: () => true } as const
  const since = performance.now()
  const miss = { event, since, ...how, ...upstreamHost(request) }
  // What clients were told of is no noise.
  const answer = await answerMiss(miss, { ...deps, ...deps.unlimited }, signal)
  if (answer.kind === 'on-the-way' && child !== undefined) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(CHILD_WITHIN_MS)])
    await deps.inFlight.waitForManifest(repository, child, limited).catch(() => undefined)
    signal.throwIfAborted()
  }
  return answer.kind === 'here' || answer.kind === 'on-the-way'
}

/** Fetched right after the index that names it. */
const CHILD_WITHIN_MS = 5_000

/** The manifest to bring, and which of its children names the blob, where it is an index. */
interface Place {
  readonly image: Digest
  readonly child?: Digest
}

async function whereNamed(
  { url = '' }: IncomingMessage,
  { repository, digest }: BlobPath,
  deps: BringAnnouncedDeps,
): Promise<Place | undefined> {
  const listed = listedUpstream(repository, url, deps.config())
  if (listed === undefined) return undefined
  const recent = await deps.announced.recent(repository)
  // Manifests count against a limit on pulls (Docker Hub's, for one), and blobs do not.
  if (recent.length === 0 || !(await isUpstream(digest, listed, deps))) return undefined
  return await placeAmong(recent, digest, listed, deps)
}

async function placeAmong(
  recent: readonly Digest[],
  digest: Digest,
  listed: ListedUpstream,
  deps: AnnouncedDeps,
): Promise<Place | undefined> {
  const until = performance.now() + FIND_WITHIN_MS
  for (const image of recent) {
    const manifest = await manifestOf(image, listed, deps)
    if (manifest !== undefined && names(manifest, digest)) return { image }
    const child = manifest && (await childThatNames(digest, manifest, listed, deps))
    if (child !== undefined) return placeOfChild(image, manifest, child, listed)
    if (performance.now() > until) return undefined
  }
  return undefined
}

/** Clients wait for as long for the answer to a HEAD, and then some. */
const FIND_WITHIN_MS = 10_000
/** Who got a 404 for a blob comes again, and others with him. */
const BLOB_FRESH_FOR_MS = 30_000

async function isUpstream(
  digest: Digest,
  { wish }: ListedUpstream,
  { upstreamBlobs, askerOf }: Pick<BringAnnouncedDeps, 'upstreamBlobs' | 'askerOf'>,
): Promise<boolean> {
  const asked = { ...wish, about: digest, freshForMs: BLOB_FRESH_FOR_MS }
  const { entries } = await upstreamBlobs.of(asked, askerOf(wish.upstreams))
  return entries.length > 0
}

/** Each is a request to the upstream, once in a while. */
const AT_ONCE = 2

async function childThatNames(
  digest: Digest,
  { children }: Manifest,
  listed: ListedUpstream,
  deps: AnnouncedDeps,
): Promise<Digest | undefined> {
  const likely = likelyFirst(children, listed.project.platforms)
  for (let at = 0; at < likely.length; at += AT_ONCE) {
    const some = likely.slice(at, at + AT_ONCE)
    const found = await Promise.all(some.map((child) => manifestOf(child.digest, listed, deps)))
    const child = found.find((manifest) => manifest !== undefined && names(manifest, digest))
    if (child !== undefined) return child.digest
  }
  return undefined
}

/** What the project's `platforms` leave out does not come with its index: it is brought alone. */
function placeOfChild(
  image: Digest,
  index: Manifest | undefined,
  child: Digest,
  { project }: ListedUpstream,
): Place {
  const { leftOut } = chooseChildren(index?.children ?? [], project.platforms)
  return leftOut.some((each) => each.digest === child) ? { image: child } : { image, child }
}

function names({ blobs }: Manifest, digest: Digest): boolean {
  return blobs.some((blob) => blob.digest === digest)
}

// It never changes; who may not ask for it any more is not told by that.
const FRESH_FOR_MS = 600_000

export async function manifestOf(
  digest: Digest,
  { wish }: ListedUpstream,
  { upstreamManifests }: Pick<AnnouncedDeps, 'upstreamManifests'>,
): Promise<Manifest | undefined> {
  const asked = { ...wish, about: digest, freshForMs: FRESH_FOR_MS }
  const { entries } = await upstreamManifests.of(asked)
  return entries[0]
}
