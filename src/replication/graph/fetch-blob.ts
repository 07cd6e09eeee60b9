import type { Readable } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import { MeteredBody } from '../pace/metered-body.ts'
import type { TransferSlots } from '../pace/transfer-slots.ts'
import type { PendingRequest } from '../pace/watched-request.ts'
import type { ContentSource, ContentTarget, OpenBlob, UploadCheckpoint } from '../ports.ts'
import { OpenedAhead } from './opened-ahead.ts'
import type { Tally } from './tally.ts'

/** What fetching one blob needs; the same for every blob of one copy. */
export interface BlobFetch {
  readonly source: ContentSource
  readonly target: ContentTarget
  readonly slots: TransferSlots
  readonly tally: Tally
  readonly signal: AbortSignal
}

export interface FetchOptions {
  /** Of the slot that it runs in. */
  readonly turn: PendingRequest
  /** Absent where nobody is to continue it. */
  readonly checkpoint?: UploadCheckpoint
  /** False: it is sent whatever the target has. */
  readonly unlessThere?: boolean
  /** Told how many bytes of the blob are here. */
  readonly onBytes?: (bytes: number) => void
}

// Less than that is fetched again: that costs less than asking how far it got.
const CONTINUED_FROM = 32 * 1024 * 1024

/** From the upstream into the target repository, in a slot that the caller has, unless it is there. */
export async function fetchBlob(
  { source, target, slots, tally, signal }: BlobFetch,
  blob: Descriptor,
  { turn, checkpoint, onBytes, unlessThere = false }: FetchOptions,
): Promise<'copied' | 'skipped'> {
  const arrival = tally.begin(blob)
  const begunAt = performance.now()
  let [at, fetched] = [0, 0]
  const open: OpenBlob = async (offset, until) => {
    let metered: MeteredBody | undefined
    const meter = (body: Readable) => {
      metered = new MeteredBody(body, slots.pace, (count) => {
        turn.moved()
        tally.fetched(arrival, count)
        fetched += count
        at += count
        onBytes?.(at)
      })
      return metered
    }
    const startsAt = (from: number) => {
      tally.startsAt(arrival, from)
      at = from
    }
    startsAt(offset)
    let opening = true
    // What the spool has is not metered: while that is read, nobody waits for upstream.
    turn.waitsWhile(() => metered?.waitsForSender ?? opening)
    const extra = () => slots.extra()
    return await source.getBlob(blob, until, { offset, meter, startsAt, extra }).finally(() => {
      opening = false
    })
  }
  turn.waitsWhile(() => false)
  const continued = blob.size >= CONTINUED_FROM ? checkpoint : undefined
  using ahead = unlessThere ? await openedAhead(source, { open, signal, continued }) : undefined
  try {
    const how = { unlessThere, ...(continued && { checkpoint: continued }) }
    if ((await target.bringBlob(blob, openedBy(ahead, open), signal, how)) === 'skipped') {
      tally.lost(arrival)
      if (ahead !== undefined) source.landed?.(blob.digest)
      return 'skipped'
    }
  } catch (error) {
    tally.lost(arrival)
    throw error
  }
  source.landed?.(blob.digest)
  tally.arrived(arrival)
  slots.usual.note(fetched, performance.now() - begunAt)
  return 'copied'
}

interface Opening {
  readonly open: OpenBlob
  readonly signal: AbortSignal
  readonly continued: UploadCheckpoint | undefined
}

/** Where clients wait for its first byte, it comes while the target is still asked. */
async function openedAhead(
  source: ContentSource,
  { open, signal, continued }: Opening,
): Promise<OpenedAhead | undefined> {
  if (source.isFollowed?.() !== true) return undefined
  // What was left of it is continued from where that ends.
  if ((await continued?.load()) !== undefined) return undefined
  return new OpenedAhead(open, signal)
}

function openedBy(ahead: OpenedAhead | undefined, open: OpenBlob): OpenBlob {
  return async (offset, until) => {
    const opened = offset === 0 ? ahead?.take(until) : undefined
    if (opened !== undefined) return await opened
    ahead?.[Symbol.dispose]()
    return await open(offset, until)
  }
}
