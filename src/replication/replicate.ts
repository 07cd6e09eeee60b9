import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isTag } from '../oci/reference.ts'
import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type { BlobFlights } from './graph/blob-flights.ts'
import type { BlobLedger } from './graph/blob-ledger.ts'
import { copyGraph, copyReferrers } from './graph/copy-graph.ts'
import type { Demand, GraphCopy } from './graph/graph-copy.ts'
import { ReplicationError } from './errors.ts'
import { findManifest } from './find-manifest.ts'
import { hasNewReferrers } from './new-referrers.ts'
import { watchedSource } from './pace/watched-source.ts'
import type { Outcome } from './outcome.ts'
import { whyNoPlatform } from './graph/platform-choice.ts'
import type { ContentSource, ContentTarget, Held } from './ports.ts'
import { isHeld, mayReferTo, whyUnwanted } from './subject.ts'
import type { Progress } from './progress.ts'
import type { ReplicationRequest } from './request.ts'
import type { ConfirmRight, WithRightTo } from './tag-right.ts'
import { Tally } from './graph/tally.ts'
import type { TransferSlots } from './pace/transfer-slots.ts'
import { messageOf } from '../thrown.ts'

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
  /** Of the reference. */
  readonly confirmRight?: ConfirmRight
  readonly withRightTo?: WithRightTo
  /** Awaited when something refers to what is not held locally. */
  readonly awaits?: (subject: Digest) => Promise<void>
  /** Told that the local registry withholds what the request names. */
  readonly onWithheld?: () => void
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
  const local = await replication.target.heldAt(reference, replication.signal)
  if (local?.withheld) replication.onWithheld?.()
  if (local !== undefined && isSettled(request, local)) return endedWith(local)
  const unwanted = local === undefined ? await whyUnwanted(request, replication) : undefined
  if (unwanted !== undefined) return unwanted
  return await fromFirstThatHas(request, replication, local).catch(refusal)
}

function refusal(error: unknown): Outcome {
  const content = error instanceof ReplicationError ? error.content : undefined
  if (content !== 'unsupported' && content !== 'invalid') throw error
  const reason = messageOf(error)
  return { kind: 'refused', reason, failure: true }
}

/**
 * The miss is over: somebody brought the image meanwhile. Content under a digest cannot change; what is
 * pushed about it can be new.
 */
function isSettled(
  { reference, trigger, replaces }: ReplicationRequest,
  { digest, withheld }: Held,
): boolean {
  if (trigger === 'miss') return withheld || digest === reference || digest !== replaces
  return digest === reference && trigger !== 'push'
}

/** With what the local registry has: nothing was copied. */
function endedWith({ digest }: Held): Outcome {
  return digest === undefined
    ? { kind: 'refused', reason: 'a policy of the local registry withholds what it has there' }
    : { kind: 'up-to-date', digest }
}

/**
 * Only "not there" leads to the next upstream, and a refusal of that one image, which many registries
 * answer for what is not there: it is the last word where no other has it. An upstream that fails might
 * hold another image of that name.
 */
async function fromFirstThatHas(
  request: ReplicationRequest,
  replication: Replication,
  local: Held | undefined,
): Promise<Outcome> {
  let denial: ReplicationError | undefined
  for (const upstream of request.upstreams) {
    const source = replication.source(upstream)
    const asked = watchedSource(source, replication.slots(upstream))
    const found = await findManifest(request, asked, local, replication.signal).catch(denied)
    if (found instanceof ReplicationError) {
      replication.log(`upstream "${upstream}" does not give it: ${found.message}`)
      denial ??= found
      continue
    }
    const from = { request, replication, source }
    if (found.kind === 'same') return await upToDate(found.digest, from)
    if (found.kind === 'other') return await copyFrom(found.manifest, local, from)
    replication.log(`upstream "${upstream}" does not have it`)
  }
  if (denial !== undefined) throw denial
  return { kind: 'not-found', upstreams: request.upstreams }
}

function denied(error: unknown): ReplicationError {
  if (error instanceof ReplicationError && error.denied) return error
  throw error
}

interface From {
  readonly request: ReplicationRequest
  readonly replication: Replication
  readonly source: ContentSource
}

async function fromSubject({ subject }: Manifest, from: From): Promise<Outcome> {
  if (subject === undefined) return { kind: 'refused', reason: 'it refers to nothing' }
  const { digest } = subject
  if (await isHeld(digest, from.replication)) return await withReferrers(digest, from)
  const reason = `it refers to ${digest}, which is not held locally`
  return { kind: 'refused', reason, awaits: digest }
}

/**
 * The image is here; what refers to it may have come later. A revalidation asks for that only where one
 * request tells.
 */
async function upToDate(digest: Digest, from: From): Promise<Outcome> {
  const { request, replication, source } = from
  const isNews =
    request.referrers &&
    (request.trigger !== 'revalidate' ||
      (await hasNewReferrers(digest, { ...replication, source })))
  return isNews ? await withReferrers(digest, from) : { kind: 'up-to-date', digest }
}

async function withReferrers(digest: Digest, from: From): Promise<Outcome> {
  const copy = graphCopy(from)
  // Who asks by hand misses something; to look that far each time would cost upstream too much.
  await copyReferrers(copy, digest, { whole: from.request.trigger === 'manual' })
  return { kind: 'up-to-date', digest, ...copy.tally.referrers }
}

async function copyFrom(manifest: Manifest, local: Held | undefined, from: From): Promise<Outcome> {
  const { request, source } = from
  const { platforms, reference, referrers } = request
  if (mayReferTo(request)) return await fromSubject(manifest, from)
  const missing = whyNoPlatform(manifest, platforms)
  if (missing !== undefined) return { kind: 'refused', reason: missing, failure: true }
  const race = new PushRace(from)
  const isStillWanted = async () => {
    if (!(await race.isOpen())) return false
    await from.replication.confirmRight?.()
    return true
  }
  const copy = { ...graphCopy(from), isStillWanted }
  const { tally } = copy
  const list = referrers ? parseReferrerTag(reference) : undefined
  if (list?.kind === 'fallback' && local !== undefined) {
    // The local list may name referrers that upstream does not know: it is added to, not replaced.
    await copyReferrers(copy, list.subject)
  } else {
    await copyGraph(copy, manifest, reference)
  }
  if (race.lostTo !== undefined) return endedWith(race.lostTo)
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
  lostTo: Held | undefined

  constructor(from: From) {
    this.#from = from
  }

  async isOpen(): Promise<boolean> {
    const { request, replication } = this.#from
    if (request.trigger !== 'miss' || !isTag(request.reference)) return true
    const now = await replication.target.heldAt(request.reference, replication.signal)
    if (now === undefined || (!now.withheld && now.digest === request.replaces)) return true
    this.lostTo = now
    return false
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
    ...rightsOf(request, replication),
  }
}

/** What the request names it has the right to already. */
function rightsOf(
  { reference }: ReplicationRequest,
  { withRightTo, confirmRight = () => Promise.resolve() }: Replication,
): Pick<GraphCopy, 'withRightTo'> {
  if (withRightTo === undefined) return {}
  return {
    withRightTo: async (tag, run) =>
      tag === reference ? await run(confirmRight) : await withRightTo(tag, run),
  }
}
