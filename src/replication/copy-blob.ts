import type { Descriptor } from '../oci/descriptor.ts'
import { isNonDistributable } from '../oci/media-types.ts'
import type { BlobFlights, Landing } from './blob-flights.ts'
import { meteredBody } from './metered-body.ts'
import type { ContentSource, ContentTarget } from './ports.ts'
import type { Tally } from './tally.ts'
import type { TransferSlots } from './transfer-slots.ts'

/** What copying one blob needs; the same for every blob of one copy. */
export interface BlobCopy {
  readonly source: ContentSource
  readonly target: ContentTarget
  readonly slots: TransferSlots
  readonly flights: BlobFlights
  readonly tally: Tally
  /** Lower goes first when slots are scarce. */
  readonly urgency: number
  readonly signal: AbortSignal
}

/**
 * Resolves when the target repository holds the blob: it had it, it was linked from where another
 * copy has just brought it, or it was fetched, in this order, so that upstream is asked last.
 */
export async function copyBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { target, tally, signal } = copy
  tally.found(blob.size)
  if (isNonDistributable(blob.mediaType)) {
    tally.blob('nonDistributable', blob.size)
    return
  }
  if (await target.hasBlob(blob.digest, signal)) {
    tally.blob('skipped', blob.size)
    return
  }
  tally.blob(await bringBlob(copy, blob), blob.size)
}

async function bringBlob(
  copy: BlobCopy,
  blob: Descriptor,
): Promise<'copied' | 'mounted' | 'skipped'> {
  const { flights, slots, target, urgency, signal } = copy
  for (;;) {
    const flight = flights.underWay(blob.digest)
    const landing = flight && (await orAborted(flight, signal))
    if (landing === target.repository) return 'skipped'
    if (landing !== undefined && (await target.mountBlob(blob.digest, landing, signal))) {
      return 'mounted'
    }
    const fetched = await slots.run(urgency, signal, async () => {
      // Somebody else may have begun while this one waited for the slot. A registry that would not
      // link it gets it once more.
      if (landing === undefined && flights.underWay(blob.digest) !== undefined) return false
      await flights.run(blob.digest, target.repository, () => fetchBlob(copy, blob))
      return true
    })
    if (fetched) return 'copied'
  }
}

async function fetchBlob(copy: BlobCopy, blob: Descriptor): Promise<void> {
  const { source, target, tally, signal } = copy
  const body = await source.getBlob(blob, signal)
  let bytes = 0
  const metered = meteredBody(body, (count) => {
    bytes += count
    tally.fetched(count)
  })
  try {
    await target.putBlob(blob, metered, signal)
  } catch (error) {
    tally.lost(bytes)
    throw error
  } finally {
    metered.destroy()
  }
}

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
