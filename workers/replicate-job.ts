import { formatImageName } from '../src/oci/reference.ts'
import type { Replicate } from '../src/queue/job-worker.ts'
import type { BlobFlights } from '../src/replication/blob-flights.ts'
import type { BlobLedger } from '../src/replication/blob-ledger.ts'
import { ReplicationError } from '../src/replication/errors.ts'
import type { Outcome } from '../src/replication/outcome.ts'
import type { ContentSource } from '../src/replication/ports.ts'
import { replicate } from '../src/replication/replicate.ts'
import { type ReplicationRequest, TRIGGERS } from '../src/replication/request.ts'
import type { TransferSchedule } from '../src/replication/transfer-schedule.ts'
import type { OpenRegistries } from '../src/open-registries.ts'

export interface JobSurroundings {
  readonly registries: OpenRegistries
  readonly schedule: TransferSchedule
  readonly flights: BlobFlights
  readonly ledger: BlobLedger
}

/** A job's request carried out between the registries that it names. */
export function replicateJob({
  registries,
  schedule,
  flights,
  ledger,
}: JobSurroundings): Replicate {
  return async (request, { attempt, queuedAt, signal, progress, log }) => {
    const image = formatImageName(request.repository, request.reference)
    log(
      `attempt ${attempt}: ${image} from ${request.upstreams.join(', then ')} (${request.trigger})`,
    )
    const order = { urgency: TRIGGERS.indexOf(request.trigger), queuedAt }
    const outcome = await replicate(request, {
      source: (upstream) => sourceOf(registries, upstream, request),
      target: registries.local.repository(request.repository),
      slots: (upstream) => schedule.slots(upstream, order),
      flights,
      ledger,
      signal,
      onProgress: progress,
      log,
    })
    log(`ended: ${inWords(outcome)}`)
    return outcome
  }
}

function sourceOf(
  registries: OpenRegistries,
  upstream: string,
  { upstreamRepository }: ReplicationRequest,
): ContentSource {
  if (registries.has(upstream)) return registries.of(upstream).repository(upstreamRepository)
  throw new ReplicationError(
    `the request names upstream "${upstream}", which this worker's configuration does not have; give all processes the same configuration`,
    { disposition: 'transient' },
  )
}

function inWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'copied': {
      const { copied, skipped, mounted, nonDistributable } = outcome.blobs
      return `copied ${outcome.digest} from ${outcome.upstream}: ${outcome.manifests} manifests; blobs: ${copied} fetched (${outcome.bytes} bytes), ${skipped} already there, ${mounted} linked, ${nonDistributable} not distributable`
    }
    case 'up-to-date':
      return `up to date, ${outcome.digest}`
    case 'not-found':
      return `not found on ${outcome.upstreams.join(', ')}`
    case 'refused':
      return `refused: ${outcome.reason}`
  }
}
