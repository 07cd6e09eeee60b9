import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Descriptor } from '../oci/descriptor.ts'
import type { ContentSource, HowToFetch } from '../replication/ports.ts'
import type { GetBlobPart } from '../spool/far-parts.ts'
import { throughSpool } from '../spool/through-spool.ts'
import type { PatientSemaphore } from '../waiting/patient-semaphore.ts'
import type { SpooledBlob } from '../spool/spooled-blob.ts'
import { type Audience, isWaitedFor, noteHead, publish } from './audience.ts'
import type { Coming } from './head-start.ts'
import { TeeToSpool } from './tee-to-spool.ts'
import type { WorkerSpool } from './worker-spool.ts'

type UsedSpool = Pick<WorkerSpool, 'add' | 'release' | 'arrivals'>

export interface Spooling {
  readonly spool: UsedSpool | undefined
  /** Which repository of which upstream it is. */
  readonly origin: string
  /** Absent where no client can. */
  readonly audience?: Audience
}

/** Smaller ones cost more time than bandwidth. */
const IN_TURNS_FROM = 4 * 1024 * 1024
/** One that comes very slowly does not keep the others waiting. */
const PATIENCE_MS = 5_000

/** Less than that is fetched again sooner than it is looked for. */
const KEPT_FROM = 32 * 1024 * 1024

/**
 * The same source, with a memory. Large blobs are written to the spool as they come, and continued from
 * what is there. Manifests are published as soon as they are here. For clients that wait, be it from the
 * beginning or from the middle of the copy on, all blobs are fetched into the spool, where both the copy
 * and the clients read them: nobody waits for anybody but upstream.
 */
export function spooledSource(source: ContentSource, spooling: Spooling): ContentSource {
  const { audience, origin, spool } = spooling
  return {
    registry: source.registry,
    async headManifest(reference, signal, how) {
      const head = await source.headManifest(reference, signal, how)
      if (head !== undefined && audience) await noteHead(audience, source.registry, reference, head)
      return head
    },
    listReferrers: (subject, signal, skipped) => source.listReferrers(subject, signal, skipped),
    listReferrersByApi: (subject, signal) => source.listReferrersByApi(subject, signal),
    givesBlob: (blob, signal) => source.givesBlob(blob, signal),
    async getManifest(reference, signal) {
      const manifest = await source.getManifest(reference, signal)
      if (manifest !== undefined && audience)
        await publish(audience, source.registry, { reference, manifest })
      return manifest
    },
    async getBlob(blob, signal, how = {}) {
      const followed = audience !== undefined && (await isWaitedFor(audience, blob.digest))
      const worthIt = followed || blob.size >= KEPT_FROM
      const fetch = { origin, blob, signal, how, ...(followed && { audience }) }
      return worthIt && spool !== undefined
        ? await spooledBlob(source, { ...fetch, spool })
        : await source.getBlob(blob, signal, how)
    },
    isFollowed: () => audience?.isThere === true,
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
  const part = partsOf(source, blob)
  const wish = { blob, origin, offset, followed, signal, ...part }
  const spooled = await spool.add(wish, source.registry)
  const whole = spooled?.arrived === true ? spooled.read(offset) : undefined
  // One that is whole may have had to make room already, and of upstream there is no rest to ask for.
  if (spooled === undefined || (spooled.arrived && whole === undefined)) {
    return await source.getBlob(blob, signal, how)
  }
  if (spooled.until > offset) how.startsAt?.(spooled.until)
  return whole ?? (await continued(source, fetch, spooled))
}

function partsOf(source: ContentSource, blob: Descriptor): { part?: GetBlobPart } {
  if (source.getBlobPart === undefined) return {}
  return { part: async (...asked) => await source.getBlobPart?.(blob, ...asked) }
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
  turns: PatientSemaphore,
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
    return new TeeToSpool(body, { spooled, arrivals: spool.arrivals, giveUp })
  }
  const headStart = async (here: Promise<unknown>) => await coming?.headStart(here)
  return throughSpool({ spooled, body, size, offset, headStart })
}
