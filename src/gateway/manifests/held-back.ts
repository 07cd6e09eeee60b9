import { setTimeout as delay } from 'node:timers/promises'
import { isTag } from '../../oci/reference.ts'
import type { LimitedMiss, LimitReason } from '../../pool/miss-limits.ts'
import type { ReplicationRequest } from '../../replication/request.ts'

/** What lets misses pass whose client has asked for too much that upstream does not have. Neither rejects. */
export interface HeldBack {
  /** Whether upstream lists the tag, as of two seconds ago at most; undefined where that cannot be told. */
  readonly isListed: (request: ReplicationRequest) => Promise<boolean | undefined>
  /** After how many milliseconds it may pass, be it noise or not; undefined when too many wait already. */
  readonly turn: (miss: LimitedMiss, reason: LimitReason) => Promise<number | undefined>
}

/**
 * Whether a miss that was held back is to be answered all the same: what upstream has is never noise. One list
 * of its tags answers however many ask; what cannot be told from that has turns, one each second. Rejects only
 * when `signal` is aborted.
 */
export async function passesAllTheSame(
  request: ReplicationRequest,
  reason: LimitReason,
  heldBack: HeldBack,
  signal: AbortSignal,
): Promise<boolean> {
  // A list for each of many made-up repositories would be noise again.
  const isListed =
    reason === 'repository-limited' && isTag(request.reference)
      ? await heldBack.isListed(request)
      : undefined
  if (isListed !== undefined) return isListed
  const waitMs = await heldBack.turn(request, reason)
  if (waitMs !== undefined) await delay(waitMs, undefined, { signal })
  return waitMs !== undefined
}
