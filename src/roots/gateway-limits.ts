import type { HeldBack } from '../gateway/manifests/held-back.ts'
import type { MissesDeps } from '../gateway/manifests/misses.ts'
import type { LookLimits, UpstreamLook } from '../gateway/manifests/upstream-look.ts'
import { UpstreamLists } from '../gateway/lists/upstream-lists.ts'
import type { Tag } from '../oci/reference.ts'
import type { UpstreamWatch } from '../pool/gateways/upstream-watch.ts'
import type { Admission, MissLimits } from '../pool/miss-limits.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { inTime } from '../waiting/in-time.ts'
import type { OpenRegistries } from './open-registries.ts'
import { asError } from '../thrown.ts'

type OnError = (error: Error) => void

// A busy process hears of Redis' answer late. Not to wait for it would let in whoever makes the process busy.
const LIMITS_WITHIN_MS = 2_000

/** Redis took no token for it, so there is none to give back. */
const NOT_COUNTED: Admission = { limited: undefined, unpaid: true }
const TOO_LATE: Admission = { limited: 'source-limited', unpaid: false }

/** Where there is no Redis, nobody is held back; where it does not answer in time, everybody. */
export function lookLimits(limits: MissLimits, onError: OnError): LookLimits {
  const failed = (error: unknown): undefined => {
    onError(asError(error))
  }
  return {
    async admit(miss) {
      const asked = limits.admit([miss]).catch(failed)
      const told = await inTime(
        asked.then((admissions) => admissions?.[0] ?? NOT_COUNTED),
        LIMITS_WITHIN_MS,
      )
      return told ?? TOO_LATE
    },
    take(miss) {
      limits.take(miss).catch(failed)
    },
    giveBack(miss) {
      limits.giveBack(miss).catch(failed)
    },
  }
}

/** What upstream has is asked for at most so often, however many misses are held back. */
const LISTED_FOR_MS = 2_000
/** A longer list is not worth it. */
const MAX_LISTED = 2_000

interface HeldBackParts {
  readonly registries: OpenRegistries
  readonly queues: ReplicationQueues
  readonly look: UpstreamLook
  readonly watch: UpstreamWatch
  readonly onError: OnError
}

/** Lets what upstream has pass, however much noise its client has made. */
export function openHeldBack(parts: HeldBackParts): Pick<MissesDeps, 'heldBack' | 'unlimited'> {
  return { heldBack: heldBackBy(parts), unlimited: unlimitedBy(parts) }
}

/** Its buckets are empty: it pays when upstream turns out not to have it. */
export function unlimitedBy({
  queues,
  look,
}: Pick<HeldBackParts, 'queues' | 'look'>): MissesDeps['unlimited'] {
  return {
    look: (request) => look.head(request, { isLimited: false }),
    offer: async (request) => only(await queues.enqueue([{ ...request, unpaid: true }])),
  }
}

export function only<T>([answer]: readonly T[]): T {
  if (answer === undefined) throw new Error('the queue gave no answer')
  return answer
}

function heldBackBy({ registries, queues, watch, onError }: HeldBackParts): HeldBack {
  const lists = new UpstreamLists<Tag>({
    async *read(upstream, { upstreamRepository }, signal) {
      let listed = 0
      const pages = registries.of(upstream).repository(upstreamRepository).tags(signal)
      for await (const page of watch.watchedPages({ upstream, image: upstreamRepository }, pages)) {
        yield page
        listed += page.length
        if (listed > MAX_LISTED) throw new Error(`it has more than ${MAX_LISTED} tags`)
      }
    },
    nameOf: (tag) => tag,
    isHeld: watch.isHeld,
    // Misses have their turns then.
    onError: () => undefined,
  })
  return {
    async isListed({ upstreams, upstreamRepository, reference }) {
      const wish = { upstreams, upstreamRepository, freshForMs: LISTED_FOR_MS }
      const { entries, complete } = await lists.of(wish)
      return entries.some((tag) => tag === reference) || (complete ? false : undefined)
    },
    turn: (request, reason) =>
      queues.limits.turn(request, reason).catch((error: unknown) => {
        onError(asError(error))
        return undefined
      }),
  }
}
