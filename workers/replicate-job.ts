import { formatImageName, projectOf } from '../src/oci/reference.ts'
import type { Replicate } from '../src/queue/work/job.ts'
import type { BlobFlights } from '../src/replication/graph/blob-flights.ts'
import type { BlobLedger } from '../src/replication/graph/blob-ledger.ts'
import { ReplicationError } from '../src/replication/errors.ts'
import type { Outcome, Referrers } from '../src/replication/outcome.ts'
import type { ContentSource } from '../src/replication/ports.ts'
import { LocalTags } from '../src/replication/local-tags.ts'
import { removeTag } from '../src/replication/remove-tag.ts'
import { replicate } from '../src/replication/replicate.ts'
import { type ReplicationRequest, TRIGGERS } from '../src/replication/request.ts'
import type { TransferSchedule } from '../src/replication/pace/transfer-schedule.ts'
import type { LocalPolicies } from '../src/pool/gateways/local-policies.ts'
import type { InFlight } from '../src/pool/in-flight.ts'
import type { OpenRegistries } from '../src/roots/open-registries.ts'
import { PlatformDemand } from '../src/first-pull/platform-demand.ts'
import { newAudience } from '../src/first-pull/audience.ts'
import { spooledSource } from '../src/first-pull/spooled-source.ts'
import type { WorkerSpool } from '../src/first-pull/worker-spool.ts'
import { tracedSource, tracedTarget } from '../src/telemetry/traces/traced-content.ts'
import { unlessAborted } from '../src/waiting/aborting.ts'
import type { ReferrerNews } from './referrer-news.ts'

export interface JobSurroundings {
  readonly registries: OpenRegistries
  readonly schedule: TransferSchedule
  readonly flights: BlobFlights
  readonly ledger: BlobLedger
  readonly inFlight: InFlight
  readonly news: ReferrerNews
  readonly policies: Pick<LocalPolicies, 'note'>
  /** Undefined where there is no place for one. */
  readonly spool: Promise<WorkerSpool | undefined>
}

/** A job's request carried out between the registries that it names. */
export function replicateJob(surroundings: JobSurroundings): Replicate {
  const { registries, schedule, flights, ledger, inFlight, news, policies } = surroundings
  const localTags = new LocalTags()
  return async (
    request,
    { id, attempt, queuedAt, asked, signal, confirmRight, withRightTo, guard, progress, log },
  ) => {
    const image = formatImageName(request.repository, request.reference)
    log(
      `attempt ${attempt}: ${image} from ${request.upstreams.join(', then ')} (${request.trigger})`,
    )
    const retried = attempt > 1
    const order = { urgency: TRIGGERS.indexOf(request.trigger), queuedAt, retried }
    const { repository } = request
    const audience = newAudience(request, inFlight)
    const local = registries.local.repository(repository)
    const repositories = { target: local, confirmRight, withRightTo, signal }
    if (request.trigger === 'delete') {
      const source = (upstream: string) => guard(sourceOf(registries, upstream, request))
      const removed = await removeTag(request, { ...repositories, source, localTags })
      log(`ended: ${inWords(removed)}`)
      return removed
    }
    const spool = await unlessAborted(surroundings.spool, signal)
    const outcome = await replicate(request, {
      ...repositories,
      target: tracedTarget(local),
      source: (upstream) => {
        const source = guard(sourceOf(registries, upstream, request))
        const origin = `${upstream}/${request.upstreamRepository}`
        return spooledSource(source, { spool, origin, audience })
      },
      awaits: (subject) => news.awaits(request, subject),
      onWithheld: () => {
        policies.note(projectOf(repository))
      },
      slots: (upstream) => schedule.slots(upstream, order, asked),
      flights,
      ledger,
      ...(request.followed === true && { demand: new PlatformDemand(repository, inFlight) }),
      onProgress: progress,
      log,
    })
      .catch(async (error: unknown) => {
        await news.failed(request, error, id)
        throw error
      })
      .finally(() => {
        localTags.forget(request)
        return inFlight.ended(audience.job, audience.keys)
      })
    await news.ended(
      request,
      outcome,
      async (digest) => (await local.heldAt(digest, signal)) !== undefined,
    )
    log(`ended: ${inWords(outcome)}`)
    return outcome
  }
}

function sourceOf(
  registries: OpenRegistries,
  upstream: string,
  { upstreamRepository }: ReplicationRequest,
): ContentSource {
  if (registries.has(upstream))
    return tracedSource(registries.of(upstream).repository(upstreamRepository))
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
      return `deleted the tag${outcome.digest === undefined ? '' : ` of ${outcome.digest}`}, as upstream had`
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
