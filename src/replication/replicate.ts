import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isTag } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type { BlobFlights } from './blob-flights.ts'
import type { BlobLedger } from './blob-ledger.ts'
import { copyGraph, copyReferrers, type GraphCopy } from './copy-graph.ts'
import type { Demand } from './demand.ts'
import { ReplicationError } from './errors.ts'
import { findManifest } from './find-manifest.ts'
import type { Outcome } from './outcome.ts'
import { whyNoPlatform } from './platform-choice.ts'
import type { ContentSource, ContentTarget, ManifestHead } from './ports.ts'
import type { Progress } from './progress.ts'
import type { ReplicationRequest } from './request.ts'
import { Tally } from './tally.ts'
import type { TransferSlots } from './transfer-slots.ts'

export interface Replication {
  /** The upstream's repository that the request names. */
  readonly source: (upstream: string) => ContentSource
  readonly target: ContentTarget
  /** This job's slots of that upstream. */
  readonly slots: (upstream: string) => TransferSlots
  readonly flights: BlobFlights
  readonly ledger: BlobLedger
  /** Absent where nobody waits for a part of an index. */
  readonly demand?: Demand
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
  readonly log: (line: string) => void
}

/**
 * Makes the local registry hold what the request names, asking upstream for as little as can be.
 *
 * @throws ReplicationError with what to do about it
 */
export async function replicate(
  request: ReplicationRequest,
  replication: Replication,
): Promise<Outcome> {
  const { reference } = request
  const local = await replication.target.headManifest(reference, replication.signal)
  if (local === undefined && !(await isWanted(request, replication))) {
    return { kind: 'refused', reason: 'not held locally, and only what is held is refreshed' }
  }
  if (local !== undefined && isSettled(request, local.digest)) {
    return { kind: 'up-to-date', digest: local.digest }
  }
  try {
    return await fromFirstThatHas(request, replication, local)
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.content !== 'unsupported') throw error
    return { kind: 'refused', reason: error.message }
  }
}

/** The miss is over: somebody brought the image meanwhile. Content under a digest cannot change. */
function isSettled({ reference, trigger, replaces }: ReplicationRequest, local: Digest): boolean {
  return local === reference || (trigger === 'miss' && local !== replaces)
}

/** Of what is not here: a signature is wanted where what it signs is held. */
async function isWanted(
  { reference, onlyIfPresent, referrers }: ReplicationRequest,
  { target, signal }: Replication,
): Promise<boolean> {
  if (!onlyIfPresent) return true
  const subject = referrers ? parseReferrerTag(reference)?.subject : undefined
  return subject !== undefined && (await target.headManifest(subject, signal)) !== undefined
}

/** Only "not there" leads to the next upstream; one that fails might hold another image of that name. */
async function fromFirstThatHas(
  request: ReplicationRequest,
  replication: Replication,
  local: ManifestHead | undefined,
): Promise<Outcome> {
  for (const upstream of request.upstreams) {
    const source = replication.source(upstream)
    const found = await findManifest(request, source, local, replication.signal)
    const from = { request, replication, source }
    if (found.kind === 'same') return await upToDate(found.digest, from)
    if (found.kind === 'other') return await copyFrom(found.manifest, local, from)
    replication.log(`upstream "${upstream}" does not have it`)
  }
  return { kind: 'not-found', upstreams: request.upstreams }
}

interface From {
  readonly request: ReplicationRequest
  readonly replication: Replication
  readonly source: ContentSource
}

/**
 * The image is here; what refers to it may have come later. A revalidation does not look for that: it
 * is to cost one request where nothing has moved.
 */
async function upToDate(digest: Digest, from: From): Promise<Outcome> {
  const { referrers, trigger } = from.request
  if (!referrers || trigger === 'revalidate') return { kind: 'up-to-date', digest }
  const copy = graphCopy(from)
  await copyReferrers(copy, digest)
  return { kind: 'up-to-date', digest, ...copy.tally.referrers }
}

async function copyFrom(
  manifest: Manifest,
  local: ManifestHead | undefined,
  from: From,
): Promise<Outcome> {
  const { request, source } = from
  const { platforms, reference, referrers } = request
  const missing = whyNoPlatform(manifest, platforms)
  if (missing !== undefined) return { kind: 'refused', reason: missing }
  const race = new PushRace(from)
  const copy = { ...graphCopy(from), isStillWanted: () => race.isOpen() }
  const { tally } = copy
  const list = referrers ? parseReferrerTag(reference) : undefined
  if (list?.kind === 'fallback' && local !== undefined) {
    // The local list may name referrers that upstream does not know: it is added to, not replaced.
    await copyReferrers(copy, list.subject)
  } else {
    await copyGraph(copy, manifest, reference)
  }
  if (race.lostTo !== undefined) return { kind: 'up-to-date', digest: race.lostTo }
  return {
    kind: 'copied',
    upstream: source.registry,
    digest: manifest.digest,
    manifests: tally.manifests,
    blobs: tally.blobs,
    bytes: tally.fetchedBytes,
    ...tally.platforms,
    ...tally.referrers,
  }
}

/** A miss is over when somebody has pushed the tag meanwhile: theirs stays. */
class PushRace {
  readonly #from: From
  lostTo: Digest | undefined

  constructor(from: From) {
    this.#from = from
  }

  async isOpen(): Promise<boolean> {
    const { request, replication } = this.#from
    if (request.trigger !== 'miss' || !isTag(request.reference)) return true
    const now = await replication.target.headManifest(request.reference, replication.signal)
    if (now?.digest === request.replaces) return true
    this.lostTo = now?.digest
    return now === undefined
  }
}

function graphCopy({ request, replication, source }: From): GraphCopy {
  const { target, slots, flights, ledger, signal, onProgress, log, demand } = replication
  const { platforms, reference, referrers } = request
  return {
    source,
    target,
    slots: slots(source.registry),
    flights,
    ledger,
    tally: new Tally(onProgress),
    platforms,
    // What refers to a list of referrers is nothing.
    referrers: referrers && parseReferrerTag(reference)?.kind !== 'fallback',
    signal,
    log,
    ...(demand !== undefined && { demand }),
  }
}
