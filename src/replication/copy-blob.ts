import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type Descriptor, isLeftElsewhere } from '../oci/descriptor.ts'
import type { Repository } from '../oci/reference.ts'
import type { BlobFlights, Landing } from './blob-flights.ts'
import type { BlobLedger } from './blob-ledger.ts'
import { meteredBody } from './metered-body.ts'
import type { ContentSource, ContentTarget, OpenBlob } from './ports.ts'
import type { Tally } from './tally.ts'
import type { TransferSlots } from './transfer-slots.ts'

/** What copying one blob needs; the same for every blob of one copy. */
export interface BlobCopy {
  readonly source: ContentSource
  readonly target: ContentTarget
  readonly slots: TransferSlots
  /** What this process is bringing right now. */
  readonly flights: BlobFlights
  /** What all workers know. */
  readonly ledger: BlobLedger
  readonly tally: Tally
  readonly signal: AbortSignal
}

type How = 'copied' | 'mounted' | 'skipped'

// How often to look whether another worker has brought the blob: at first it may be a small one.
const LOOK_AFTER_MS = 20
const LOOK_AT_MOST_EVERY_MS = 250

/**
 * Resolves when the target repository holds the blob: it had it, it was linked from another
 * repository that holds it or is being given it, or it was fetched, in this order, so that upstream
 * is asked last and, over all workers, once.
 */
export async function copyBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { target, tally, ledger, signal } = copy
  tally.found(blob.size)
  if (isLeftElsewhere(blob)) {
    tally.blob('nonDistributable', blob.size)
    return
  }
  const held = await target.hasBlob(blob.digest, signal)
  const how = held ? 'skipped' : await bringBlob(copy, blob)
  tally.blob(how, blob.size)
  if (how !== 'copied') await ledger.landed(blob.digest, target.repository)
}

async function bringBlob(copy: BlobCopy, blob: Descriptor): Promise<How> {
  const { flights, ledger, slots, target, signal } = copy
  const refused = new Set<Repository>()
  for (let wait = LOOK_AFTER_MS; ; wait = Math.min(wait * 1.5, LOOK_AT_MOST_EVERY_MS)) {
    const flight = flights.underWay(blob.digest)
    const landing = flight && (await orAborted(flight, signal))
    if (landing === target.repository) return 'skipped'
    const linked = await takeFromHolder(copy, blob, { landing, refused })
    if (linked !== undefined) return linked
    if (await ledger.isLeased(blob.digest)) {
      await delay(wait, undefined, { signal })
      continue
    }
    const transfer = { bytes: blob.size, uploads: true }
    const begun = await slots.run(transfer, signal, () => bringUnlessBegun(copy, blob, refused))
    if (begun) return 'copied'
  }
}

interface Holding {
  /** Where a transfer of this process has just brought it. */
  readonly landing: Landing
  /** Repositories that would not have it linked from, or do not have it after all. */
  readonly refused: Set<Repository>
}

async function takeFromHolder(
  { ledger, target, signal }: BlobCopy,
  { digest }: Descriptor,
  { landing, refused }: Holding,
): Promise<How | undefined> {
  const known = await ledger.holders(digest)
  for (const holder of new Set([...(landing === undefined ? [] : [landing]), ...known])) {
    if (refused.has(holder)) continue
    if (holder === target.repository) {
      if (await target.hasBlob(digest, signal)) return 'skipped'
    } else if (await target.mountBlob(digest, holder, signal)) {
      return 'mounted'
    }
    refused.add(holder)
    await ledger.notThere(digest, holder)
  }
  return undefined
}

/**
 * Runs in a slot. False when somebody else began, or was done, while this one waited for it: then
 * the slot is given back, and the blob is waited for, or linked, without one.
 */
async function bringUnlessBegun(
  copy: BlobCopy,
  blob: Descriptor,
  refused: ReadonlySet<Repository>,
): Promise<boolean> {
  const { flights, ledger, target } = copy
  if (flights.underWay(blob.digest) !== undefined) return false
  const brought = await flights.run(blob.digest, target.repository, async () => {
    await using lease = await ledger.lease(blob.digest)
    if (lease === undefined) return undefined
    const holders = await ledger.holders(blob.digest)
    if (holders.some((holder) => !refused.has(holder))) return undefined
    await fetchBlob(copy, blob)
    // Before the lease ends: whoever waits for it looks here next.
    await ledger.landed(blob.digest, target.repository)
    return 'copied'
  })
  return brought !== undefined
}

async function fetchBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { source, target, slots, tally, signal } = copy
  const arrival = tally.begin(blob)
  const open = async (offset: number, until: AbortSignal) => {
    const meter = (body: Readable) =>
      meteredBody(body, slots.pace, (count) => {
        tally.fetched(arrival, count)
      })
    const startsAt = (at: number) => {
      tally.startsAt(arrival, at)
    }
    startsAt(offset)
    return await source.getBlob(blob, until, { offset, meter, startsAt })
  }
  try {
    if (!(await putInChunks(copy, blob, open))) {
      const body = await open(0, signal)
      await target.putBlob(blob, body, signal).finally(() => body.destroy())
    }
  } catch (error) {
    tally.lost(arrival)
    throw error
  }
  source.landed?.(blob.digest)
  tally.arrived(arrival)
}

/** False where it is to be sent in one request. */
async function putInChunks(
  { target, ledger, signal }: BlobCopy,
  blob: Descriptor,
  open: OpenBlob,
): Promise<boolean> {
  if (blob.size < CHUNKED_FROM) return false
  const checkpoint = ledger.checkpoint(blob.digest, target.repository)
  return await target.putBlobInChunks(blob, open, checkpoint, signal)
}

// Less than that is sent in one request: fetching it again costs less than asking how far it got.
const CHUNKED_FROM = 32 * 1024 * 1024

async function orAborted(flight: Promise<Landing>, signal: AbortSignal): Promise<Landing> {
  signal.throwIfAborted()
  let abort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([flight, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
