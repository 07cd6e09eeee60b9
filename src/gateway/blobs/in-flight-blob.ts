import { setTimeout as delay } from 'node:timers/promises'
import type { InFlightPart } from '../../pool/in-flight.ts'
import type { ByteRange } from './byte-range.ts'

/** Each piece is good until the next one is asked for. */
export type Pieces = AsyncIterable<Buffer>

export type OpenSpool = (
  url: string,
  offset: number,
  signal: AbortSignal,
  end?: number,
) => Promise<Pieces | undefined>

/** Where the bytes of a blob on its way may be had. */
export interface BlobPlaces {
  /** Undefined once no copy is bringing it any more. */
  readonly part: () => Promise<InFlightPart | undefined>
  /** From the worker that is fetching it; undefined when none is, or it began after that offset. */
  readonly spool: (offset: number) => Promise<Pieces | undefined>
  /** From the local registry, once it has landed there. */
  readonly landed: (offset: number) => Promise<Pieces | undefined>
  /** How many of its bytes have come so far, for whomever; undefined while nobody brings it. */
  readonly come: () => Promise<number | undefined>
  readonly signal: AbortSignal
}

const LOOK_AFTER_MS = 5
const LOOK_AT_MOST_EVERY_MS = 250
/** That costs the registry a request; a worker is looked for in Redis. */
const LOOK_AT_REGISTRY_EVERY_MS = 100
/** So often a worker tells how far it is. */
const LOOK_AT_PROGRESS_EVERY_MS = 2_000
/** A blob may wait for its turn at the upstream, but not for ever; while its bytes come to somebody, it does. */
const PATIENCE_MS = 120_000

/**
 * The bytes, from wherever they can be had at the moment: from the worker that fetches them, from the
 * worker that takes over when that one dies, and from the registry once they are there. Ends early
 * when nobody brings the blob any more; then the client's connection is to be cut.
 */
export async function* inFlightBlob(
  { start, length }: ByteRange,
  places: BlobPlaces,
): AsyncGenerator<Buffer, void> {
  const end = start + length
  let cameAt = performance.now()
  for (let at = start; at < end;) {
    const body = await nextPlace(at, places)
    if (body === undefined) return
    const before = at
    for await (const piece of untilBroken(body)) {
      const wanted = piece.subarray(0, end - at)
      at += wanted.length
      yield wanted
      if (at === end) break
    }
    if (at > before) cameAt = performance.now()
    else if (performance.now() - cameAt > PATIENCE_MS) return
    // Whoever has no byte, again and again, must not be asked without a pause.
    else await delay(LOOK_AT_REGISTRY_EVERY_MS, undefined, { signal: places.signal })
  }
}

async function nextPlace(at: number, places: BlobPlaces): Promise<Pieces | undefined> {
  let since = performance.now()
  let nextLookAtRegistry = since
  let nextLookAtProgress = since
  let come: number | undefined
  for (let wait = LOOK_AFTER_MS; ; wait = Math.min(wait * 1.1, LOOK_AT_MOST_EVERY_MS)) {
    places.signal.throwIfAborted()
    const followed = await places.spool(at)
    if (followed !== undefined) return followed
    const now = performance.now()
    if (now >= nextLookAtRegistry) {
      const landed = await places.landed(at)
      if (landed !== undefined) return landed
      nextLookAtRegistry = now + LOOK_AT_REGISTRY_EVERY_MS
    }
    if ((await places.part()) === undefined) return undefined
    if (now >= nextLookAtProgress) {
      const before = come
      come = await places.come()
      if (come !== before) since = now
      nextLookAtProgress = now + LOOK_AT_PROGRESS_EVERY_MS
    }
    if (now - since > PATIENCE_MS) return undefined
    await delay(wait, undefined, { signal: places.signal })
  }
}

/** What of the body comes; where it breaks, the rest is to be had elsewhere. */
async function* untilBroken(body: Pieces): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) yield piece
  } catch {
    // The worker died, or its fetch broke.
  }
}
