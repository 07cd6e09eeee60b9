import { formatImageName } from '../src/oci/reference.ts'
import type { Replicate } from '../src/queue/job-worker.ts'
import type { BlobFlights } from '../src/replication/blob-flights.ts'
import type { BlobLedger } from '../src/replication/blob-ledger.ts'
import { ReplicationError } from '../src/replication/errors.ts'
import type { Outcome, Referrers } from '../src/replication/outcome.ts'
import type { ContentSource } from '../src/replication/ports.ts'
import { removeTag } from '../src/replication/remove-tag.ts'
import { replicate } from '../src/replication/replicate.ts'
import { type ReplicationRequest, TRIGGERS } from '../src/replication/request.ts'
import type { TransferSchedule } from '../src/replication/transfer-schedule.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import type { OpenRegistries } from '../src/open-registries.ts'
import { ClientsFirst } from './clients-first.ts'
import { newAudience, spooledSource } from './spooled-source.ts'
import type { WorkerSpool } from './worker-spool.ts'

export interface JobSurroundings {
  readonly registries: OpenRegistries
  readonly schedule: TransferSchedule
  readonly flights: BlobFlights
  readonly ledger: BlobLedger
  readonly onTheWay: OnTheWay
  /** Absent where there is no place for one. */
  readonly spool: WorkerSpool | undefined
}

/** A job's request carried out between the registries that it names. */
export function replicateJob(surroundings: JobSurroundings): Replicate {
  const { registries, schedule, flights, ledger, onTheWay, spool } = surroundings
  return async (request, { attempt, queuedAt, signal, progress, log }) => {
    const image = formatImageName(request.repository, request.reference)
    log(
      `attempt ${attempt}: ${image} from ${request.upstreams.join(', then ')} (${request.trigger})`,
    )
    const order = { urgency: TRIGGERS.indexOf(request.trigger), queuedAt }
    const { repository } = request
    const audience = newAudience(repository, onTheWay)
    const repositories = {
      target: registries.local.repository(repository),
      signal,
    }
    if (request.trigger === 'delete') {
      const source = (upstream: string) => sourceOf(registries, upstream, request)
      const removed = await removeTag(request, { ...repositories, source })
      log(`ended: ${inWords(removed)}`)
      return removed
    }
    const followed = request.followed === true
    const outcome = await replicate(request, {
      ...repositories,
      source: (upstream) => {
        const source = sourceOf(registries, upstream, request)
        const origin = `${upstream}/${request.upstreamRepository}`
        return spooledSource(source, { spool, origin, ...(followed && { audience }) })
      },
      slots: (upstream) => schedule.slots(upstream, order),
      flights,
      ledger,
      ...(followed && { demand: new ClientsFirst(repository, onTheWay) }),
      onProgress: progress,
      log,
    }).finally(() => onTheWay.ended(audience.keys))
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
      const withIt = referrersInWords(outcome)
      return `copied ${outcome.digest} from ${outcome.upstream}: ${outcome.manifests} manifests${outcome.leftOut === undefined ? '' : `, ${outcome.leftOut} of other platforms left upstream`}; blobs: ${copied} fetched (${outcome.bytes} bytes), ${skipped} already there, ${mounted} linked, ${nonDistributable} left where they are${withIt}`
    }
    case 'up-to-date':
      return `up to date, ${outcome.digest}${referrersInWords(outcome)}`
    case 'deleted':
      return `deleted the tag of ${outcome.digest}, as upstream had`
    case 'not-found':
      return `not found on ${outcome.upstreams.join(', ')}`
    case 'refused':
      return `refused: ${outcome.reason}`
  }
}

function referrersInWords({ referrers = 0, referrersFailed = 0 }: Referrers): string {
  const copied = referrers > 0 ? `; ${referrers} referrers came along` : ''
  return referrersFailed > 0 ? `${copied}; ${referrersFailed} referrers failed` : copied
}
