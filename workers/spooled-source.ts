import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Descriptor } from '../src/oci/descriptor.ts'
import type { Manifest } from '../src/oci/manifest.ts'
import type { Reference, Repository } from '../src/oci/reference.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import type { ContentSource, HowToFetch } from '../src/replication/ports.ts'
import { byWayOf } from '../src/spool/by-way-of.ts'
import { Turns } from '../src/registry/turns.ts'
import type { SpooledBlob } from '../src/spool/spooled-blob.ts'
import { type Coming, FollowersFirst } from './followers-first.ts'
import { KeptBody } from './kept-body.ts'
import type { WorkerSpool } from './worker-spool.ts'

/** Where what comes from upstream is shown to the clients that wait for it. */
export interface Audience {
  /** The local name of what is copied. */
  readonly repository: Repository
  readonly onTheWay: OnTheWay
  /** What was published; `ended` is to be told of it. */
  readonly keys: Set<string>
  /** Of its large blobs. */
  readonly turns: Turns
  readonly followersFirst: FollowersFirst
}

export function newAudience(repository: Repository, onTheWay: OnTheWay): Audience {
  const turns = new Turns(AT_ONCE)
  return { repository, onTheWay, keys: new Set(), turns, followersFirst: new FollowersFirst() }
}

type UsedSpool = Pick<WorkerSpool, 'add' | 'release' | 'arrivals'>

export interface Spooling {
  readonly spool: UsedSpool | undefined
  /** Which repository of which upstream it is. */
  readonly origin: string
  /** Absent where no client waits. */
  readonly audience?: Audience
}

/** Smaller ones cost more time than bandwidth. */
const IN_TURNS_FROM = 4 * 1024 * 1024
/**
 * As many large blobs at once as Docker and containerd pull. With more, each comes slower, and at the end
 * clients have those still to read that they did not ask for at first: 1.16 instead of 1.09 times a pull
 * straight from an upstream behind 1 Gbit/s.
 */
const AT_ONCE = 3
/** One that comes very slowly does not keep the others waiting. */
const PATIENCE_MS = 5_000

/** Less than that is fetched again sooner than it is looked for. */
const KEPT_FROM = 32 * 1024 * 1024

/**
 * The same source, with a memory. Large blobs are written to the spool as they come, and continued from
 * what is there. For clients that wait, manifests are published as soon as they are here, and all blobs
 * are fetched into the spool, where both the copy and the clients read them: nobody waits for anybody
 * but upstream.
 */
export function spooledSource(source: ContentSource, spooling: Spooling): ContentSource {
  const { audience, origin, spool } = spooling
  return {
    registry: source.registry,
    headManifest: (reference, signal) => source.headManifest(reference, signal),
    listReferrers: (subject, signal) => source.listReferrers(subject, signal),
    async getManifest(reference, signal) {
      const manifest = await source.getManifest(reference, signal)
      if (manifest !== undefined && audience) await publish(audience, reference, manifest)
      return manifest
    },
    async getBlob(blob, signal, how = {}) {
      const worthIt = audience !== undefined || blob.size >= KEPT_FROM
      return worthIt && spool !== undefined
        ? await spooledBlob(source, { ...spooling, spool, blob, signal, how })
        : await source.getBlob(blob, signal, how)
    },
    landed: (digest) => {
      void spool?.release(origin, digest)
    },
  }
}

interface Fetch extends Spooling {
  readonly spool: UsedSpool
  readonly blob: Descriptor
  readonly signal: AbortSignal
  readonly how: HowToFetch
}

async function spooledBlob(source: ContentSource, fetch: Fetch): Promise<Readable> {
  const { audience, origin, spool, blob, signal, how } = fetch
  const { offset = 0 } = how
  const followed = audience !== undefined
  const spooled = await spool.add({ blob, origin, offset, followed, signal })
  const whole = spooled?.arrived === true ? spooled.read(offset) : undefined
  // One that is whole may have had to make room already, and of upstream there is no rest to ask for.
  if (spooled === undefined || (spooled.arrived && whole === undefined)) {
    return await source.getBlob(blob, signal, how)
  }
  if (spooled.until > offset) how.startsAt?.(spooled.until)
  return whole ?? (await continued(source, fetch, spooled))
}

async function continued(
  source: ContentSource,
  fetch: Fetch,
  spooled: SpooledBlob,
): Promise<Readable> {
  const { audience, blob, signal, how } = fetch
  const { offset = 0 } = how
  const { until } = spooled
  const coming = audience?.followersFirst.begin(spooled)
  try {
    const open = () => source.getBlob(blob, signal, { ...how, offset: until })
    const inTurns = audience !== undefined && blob.size >= IN_TURNS_FROM
    const body = await (inTurns ? inTurn(audience.turns, signal, open) : open())
    return spooling(fetch, spooled, { body, offset, size: blob.size - until, coming })
  } catch (error) {
    coming?.end()
    await spooled.end(false)
    throw error
  }
}

/** Resolves with the body; its turn ends with it. */
async function inTurn(
  turns: Turns,
  signal: AbortSignal,
  open: () => Promise<Readable>,
): Promise<Readable> {
  return await new Promise((resolve, reject) => {
    turns
      .take({ patienceMs: PATIENCE_MS, signal }, async () => {
        const body = await open()
        resolve(body)
        await finished(body).catch(() => undefined)
      })
      .catch(reject)
  })
}

interface Rest {
  readonly body: Readable
  /** From where in the blob on its bytes are wanted. */
  readonly offset: number
  /** In bytes, of the body. */
  readonly size: number
  /** Where clients follow it. */
  readonly coming: Coming | undefined
}

function spooling(
  { audience, origin, spool, blob }: Fetch,
  spooled: SpooledBlob,
  { body, offset, size, coming }: Rest,
): Readable {
  if (audience === undefined && spooled.until === offset) {
    const giveUp = () => void spool.release(origin, blob.digest)
    return new KeptBody(body, { spooled, arrivals: spool.arrivals, giveUp })
  }
  const headStart = async (here: Promise<unknown>) => await coming?.headStart(here)
  return byWayOf({ spooled, body, size, offset, headStart })
}

async function publish(
  { repository, onTheWay, keys }: Audience,
  reference: Reference,
  manifest: Manifest,
): Promise<void> {
  for (const key of await onTheWay.publish(repository, reference, manifest)) keys.add(key)
}
