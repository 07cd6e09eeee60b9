import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Descriptor, isLeftElsewhere } from '../../oci/descriptor.ts'
import type { Repository } from '../../oci/reference.ts'
import { unlessAborted } from '../../waiting/aborting.ts'
import type { BlobFlights, Flight, Landing } from './blob-flights.ts'
import type { BlobLedger, KnownBlob } from './blob-ledger.ts'
import { type BlobFetch, fetchBlob } from './fetch-blob.ts'
import { Patience, type TransferState } from '../pace/patience.ts'
import type { PendingRequest } from '../pace/watched-request.ts'

/** What copying one blob needs; the same for every blob of one copy. */
export interface BlobCopy extends BlobFetch {
  /** What this process is bringing right now. */
  readonly flights: BlobFlights
  /** What all workers know. */
  readonly ledger: BlobLedger
}

type How = 'copied' | 'mounted' | 'skipped'

// How often to look whether another worker has brought the blob: at first it may be a small one.
const LOOK_AFTER_MS = 20
const LOOK_AT_MOST_EVERY_MS = 250
/** How far one of this process is can be seen without asking anybody. */
const LOOK_AT_FLIGHT_EVERY_MS = 1_000
const ASKING = { bytes: 0, uploads: false, asks: true } as const

/**
 * Resolves when the target repository holds the blob: it had it, it was linked from another
 * repository that holds it or is being given it, or it was fetched, in this order, so that upstream
 * is asked last and, over all workers, once.
 */
export async function copyBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { target, tally, ledger } = copy
  const { recent } = copy.flights
  tally.found(blob.size)
  if (isLeftElsewhere(blob)) {
    tally.blob('nonDistributable', blob.size)
    return
  }
  if (recent.has(blob.digest, target.repository)) {
    tally.blob('skipped', blob.size)
    return
  }
  const how = await lookOrBring(copy, blob)
  recent.note(blob.digest, target.repository)
  tally.blob(how, blob.size)
  if (how !== 'copied') await ledger.landed(blob.digest, target.repository)
}

/** Brings the blob whatever the registry says that it has. */
export async function pushBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { source, slots, target, ledger, signal } = copy
  const transfer = { bytes: blob.size, uploads: true }
  await slots.run(transfer, signal, (turn) => fetchBlob(copy, blob, { turn }))
  await ledger.landed(blob.digest, target.repository)
  await ledger.givenBy(blob.digest, source.registry)
}

/** What nobody of the pool has seen is looked for by the very request that opens its upload. */
async function lookOrBring(copy: BlobCopy, blob: Descriptor): Promise<How> {
  const { flights, ledger, target, signal } = copy
  const known = flights.underWay(blob.digest) ? undefined : await ledger.look(blob.digest)
  if (known?.holders.length === 0 && known.coming === undefined)
    return await bringBlob(copy, blob, known)
  if (await target.hasBlob(blob.digest, signal)) return 'skipped'
  return await bringBlob(copy, blob)
}

/** @param nothing what is known of it, where that is nothing: the target was not asked for it then */
async function bringBlob(copy: BlobCopy, blob: Descriptor, nothing?: KnownBlob): Promise<How> {
  const { flights, ledger, slots, source, target, signal } = copy
  const { digest, size } = blob
  const refused = new Set<Repository>()
  let known = nothing
  const own = { origin: source.registry, usual: () => slots.usual.bytesPerSecond }
  const patience = new Patience(size, own)
  for (let wait = LOOK_AFTER_MS; ; wait = Math.min(wait * 1.5, LOOK_AT_MOST_EVERY_MS)) {
    const flight = flights.underWay(digest)
    const landing = flight && (await landed(flight, patience, signal))
    if (landing === target.repository) return 'skipped'
    const { holders, coming: other } = known ?? (await ledger.look(digest))
    known = undefined
    const linked = await takeFromHolder(copy, blob, { holders, flight, landing, refused })
    if (linked !== undefined) return linked
    if (other !== undefined && patience.lastsFor(other)) {
      await delay(wait, undefined, { signal })
      continue
    }
    const instead = [other, flight?.state].find((state) => state && patience.isOver(state))
    const begun = await slots.run({ bytes: size, uploads: true }, signal, (turn) =>
      bringUnlessBegun(copy, blob, {
        turn,
        refused,
        patience,
        instead,
        isNew: nothing !== undefined,
      }),
    )
    if (begun !== undefined) return begun
  }
}

/** Where it landed; undefined when it failed, or is not worth waiting for. */
async function landed(flight: Flight, patience: Patience, signal: AbortSignal): Promise<Landing> {
  const ended = flight.landing.then((landing) => ({ landing }))
  while (patience.lastsFor(flight.state)) {
    const nextLook = new AbortController()
    const look = delay(LOOK_AT_FLIGHT_EVERY_MS, undefined, { signal: nextLook.signal })
    const first = Promise.race([ended, look.catch(() => undefined)])
    const end = await unlessAborted(first, signal).finally(() => {
      nextLook.abort()
    })
    if (end !== undefined) return end.landing
  }
  return undefined
}

interface Holding extends Pick<KnownBlob, 'holders'> {
  readonly flight: Flight | undefined
  /** Where that one has just brought it. */
  readonly landing: Landing
  /** Repositories that are not to be linked from, would not have it, or do not have it after all. */
  readonly refused: Set<Repository>
}

async function takeFromHolder(
  copy: BlobCopy,
  blob: Descriptor,
  { holders, flight, landing, refused }: Holding,
): Promise<How | undefined> {
  const isOwn = landing !== undefined && flight?.state.origin === copy.source.registry
  for (const holder of new Set([...(landing === undefined ? [] : [landing]), ...holders])) {
    if (refused.has(holder)) continue
    refused.add(holder)
    const how = await takeFrom(copy, blob, { holder, isOwn })
    if (how === 'not-there') await copy.ledger.notThere(blob.digest, holder)
    else if (how !== 'not-given') return how
  }
  return undefined
}

async function takeFrom(
  copy: BlobCopy,
  blob: Descriptor,
  { holder, isOwn }: { readonly holder: Repository; readonly isOwn: boolean },
): Promise<How | 'not-there' | 'not-given'> {
  const { target, signal } = copy
  if (holder === target.repository) {
    return (await target.hasBlob(blob.digest, signal)) ? 'skipped' : 'not-there'
  }
  if (!isOwn && !(await upstreamHas(copy, blob))) return 'not-given'
  return (await target.mountBlob(blob.digest, holder, signal)) ? 'mounted' : 'not-there'
}

/**
 * An upstream that merely names content gets none of it: what another upstream has brought is linked
 * only for one that has given the same before, or shows now that it has it.
 */
async function upstreamHas(
  { source, ledger, slots, signal }: BlobCopy,
  blob: Descriptor,
): Promise<boolean> {
  if (await ledger.isGivenBy(blob.digest, source.registry)) return true
  const given = await slots.run(ASKING, signal, () => source.givesBlob(blob, signal))
  if (given) await ledger.givenBy(blob.digest, source.registry)
  return given
}

interface Beginning {
  readonly turn: PendingRequest
  readonly refused: ReadonlySet<Repository>
  readonly patience: Patience
  /** Who may lose the lease because it brings it too slowly to be waited for. */
  readonly instead: TransferState | undefined
  /** The target was not asked for it. */
  readonly isNew: boolean
}

/**
 * Runs in a slot. Undefined when somebody else began, or was done, while this one waited for it: then
 * the slot is given back, and the blob is waited for, or linked, without one.
 */
async function bringUnlessBegun(
  copy: BlobCopy,
  blob: Descriptor,
  { turn, refused, patience, instead, isNew }: Beginning,
): Promise<'copied' | 'skipped' | undefined> {
  const { flights, ledger, source, target } = copy
  const { digest } = blob
  turn.waitsWhile(() => false)
  const flight = flights.underWay(digest)
  if (flight !== undefined && !patience.isOver(flight.state)) return undefined
  const state = { holder: randomUUID(), origin: source.registry, bytes: 0 }
  const onBytes = (bytes: number) => {
    state.bytes = bytes
  }
  const into = target.repository
  const found = { here: false }
  const brought = await flights.run(digest, { into, state }, async () => {
    await using lease = await ledger.lease(digest, state, instead?.holder)
    if (lease === undefined) return undefined
    if (lease.holders.some((holder) => !refused.has(holder))) return undefined
    // Of the slow one's upload nobody knows what it still does.
    const continued = instead === undefined && { checkpoint: ledger.checkpoint(digest, into) }
    const how = await fetchBlob(copy, blob, { turn, onBytes, ...continued, unlessThere: isNew })
    found.here = how === 'skipped'
    // No upstream has given it: whoever waits for this flight is to see for himself.
    if (found.here) return undefined
    await lease.landed(into)
    return how
  })
  return found.here ? 'skipped' : brought
}
