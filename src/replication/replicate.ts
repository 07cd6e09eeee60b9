import type { Manifest } from '../oci/manifest.ts'
import type { BlobFlights } from './blob-flights.ts'
import type { BlobLedger } from './blob-ledger.ts'
import { copyGraph } from './copy-graph.ts'
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
  const { reference, trigger, onlyIfPresent } = request
  const local = await replication.target.headManifest(reference, replication.signal)
  if (local === undefined && onlyIfPresent) {
    return { kind: 'refused', reason: 'not held locally, and only what is held is refreshed' }
  }
  // The miss is over: somebody brought the image meanwhile. Content under a digest cannot change.
  if (local !== undefined && (trigger === 'miss' || local.digest === reference)) {
    return { kind: 'up-to-date', digest: local.digest }
  }
  try {
    return await fromFirstThatHas(request, replication, local)
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.content !== 'unsupported') throw error
    return { kind: 'refused', reason: error.message }
  }
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
    if (found.kind === 'same') return { kind: 'up-to-date', digest: found.digest }
    if (found.kind === 'other') return await copyFrom(request, replication, source, found.manifest)
    replication.log(`upstream "${upstream}" does not have it`)
  }
  return { kind: 'not-found', upstreams: request.upstreams }
}

async function copyFrom(
  request: ReplicationRequest,
  replication: Replication,
  source: ContentSource,
  manifest: Manifest,
): Promise<Outcome> {
  const { target, slots, flights, ledger, signal, onProgress, log } = replication
  const { platforms, reference } = request
  const missing = whyNoPlatform(manifest, platforms)
  if (missing !== undefined) return { kind: 'refused', reason: missing }
  const tally = new Tally(onProgress)
  const upstream = source.registry
  await copyGraph(
    {
      source,
      target,
      slots: slots(upstream),
      flights,
      ledger,
      tally,
      platforms,
      signal,
      log,
    },
    manifest,
    reference,
  )
  return {
    kind: 'copied',
    upstream,
    digest: manifest.digest,
    manifests: tally.manifests,
    blobs: tally.blobs,
    bytes: tally.fetchedBytes,
    ...tally.platforms,
  }
}
