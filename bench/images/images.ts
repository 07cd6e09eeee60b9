import { type TestRegistry, startRegistry } from '../../test/support/registry/docker-registry.ts'
import { wholeLog } from '../counts/copy-counts.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import type { Rivals } from '../rivals/rivals.ts'
import type { Scale } from '../scale.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { cpuMsOf } from '../figures/usage.ts'
import { verifyCopies } from '../copies/verify.ts'
import { pullsyncCopier } from './pullsync-copier.ts'
import { regsyncCopier } from './regsync-copier.ts'

/** Something that copies many images of many repositories. */
export interface ImagesCopier extends AsyncDisposable {
  /** Resolves with how long that took, when the local registry has them all. */
  copy(images: readonly PublishedImage[]): Promise<number>
  /** Its own processes' time so far. */
  cpuMs(): number
  /** What it keeps its jobs in; nothing where it keeps none. */
  store(): Promise<StoreUsage>
}

export interface StoreUsage {
  readonly cpuMs: number
  readonly commands: number
}

export interface CopierEntry {
  readonly name: string
  readonly enter: (upstream: TestRegistry, local: TestRegistry) => Promise<ImagesCopier>
}

/** Of one copier, for all images together. */
interface Taken {
  readonly ms: number
  readonly copierMs: number
  readonly upstreamMs: number
  readonly localMs: number
  readonly storeMs: number
  readonly upstreamRequests: number
  readonly localRequests: number
  readonly commands: number
}

/** Copied before those that count: Node has compiled by then what it will. */
const WARM_UP = 0.3
const PUBLISHED_AT_ONCE = 4
const LAYER_BYTES = 3_000

const HEAD = [
  ...['', 'images/s', 'CPU ms for each: copier', 'upstream', 'local', 'Redis', 'all'],
  ...['requests upstream', 'requests local', 'Redis commands'],
]

/** Small images, each in a repository of its own, with all that may refer to it looked for. */
export async function benchSmallImages(
  { smallImages, repetitions }: Scale,
  { before, peers }: Rivals,
): Promise<string> {
  await using upstream = await startRegistry()
  const first = await publish(upstream, 'warm', Math.ceil(smallImages * WARM_UP))
  const images = await publish(upstream, 'small', smallImages)
  const entries = [
    ...(before === undefined ? [] : [pullsyncCopier(before.name, before.script)]),
    ...[pullsyncCopier('pullsync, two workers')],
    ...(peers && before === undefined ? regsyncCopier() : []),
  ]
  const taken = new Map<string, Taken[]>(entries.map(({ name }) => [name, []]))
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const order = repetition % 2 === 0 ? entries : [...entries].reverse()
    for (const entry of order) {
      taken.get(entry.name)?.push(await measure(upstream, entry, { first, images }))
    }
  }
  const rows = [...taken].map(([name, all]) => rowOf(name, all, smallImages))
  return markdownTable([HEAD, ...rows])
}

async function publish(
  { url }: TestRegistry,
  kind: string,
  count: number,
): Promise<readonly PublishedImage[]> {
  const publisher = new Publisher(url)
  const published: PublishedImage[] = []
  const numbers = Array.from({ length: count }, (_, number) => number).values()
  const work = Array.from({ length: PUBLISHED_AT_ONCE }, async () => {
    for (const number of numbers) {
      const layers = layersOf(`${kind} ${number}`, 1, LAYER_BYTES)
      published.push(await publisher.publish(`team/${kind}-${number}`, '1', layers))
    }
  })
  await Promise.all(work)
  return published
}

interface Images {
  readonly first: readonly PublishedImage[]
  readonly images: readonly PublishedImage[]
}

async function measure(
  upstream: TestRegistry,
  { enter }: CopierEntry,
  { first, images }: Images,
): Promise<Taken> {
  await using local = await startRegistry()
  await using copier = await enter(upstream, local)
  await copier.copy(first)
  const before = await totals(copier, upstream, local)
  const ms = await copier.copy(images)
  const after = await totals(copier, upstream, local)
  await verifyCopies(local.url, images)
  const spent = (of: (all: Omit<Taken, 'ms'>) => number) => of(after) - of(before)
  return {
    ms,
    copierMs: spent(({ copierMs }) => copierMs),
    upstreamMs: spent(({ upstreamMs }) => upstreamMs),
    localMs: spent(({ localMs }) => localMs),
    storeMs: spent(({ storeMs }) => storeMs),
    upstreamRequests: spent(({ upstreamRequests }) => upstreamRequests),
    localRequests: spent(({ localRequests }) => localRequests),
    commands: spent(({ commands }) => commands),
  }
}

async function totals(
  copier: ImagesCopier,
  upstream: TestRegistry,
  local: TestRegistry,
): Promise<Omit<Taken, 'ms'>> {
  const store = await copier.store()
  return {
    copierMs: copier.cpuMs(),
    upstreamMs: cpuMsOf(upstream.pid() ?? 0) ?? 0,
    localMs: cpuMsOf(local.pid() ?? 0) ?? 0,
    storeMs: store.cpuMs,
    upstreamRequests: await requestsOf(upstream),
    localRequests: await requestsOf(local),
    commands: store.commands,
  }
}

/** Without those that only ask whether it answers. */
async function requestsOf(registry: TestRegistry): Promise<number> {
  const log = await wholeLog(registry)
  return log.filter(({ path }) => path !== '/v2/').length
}

function rowOf(name: string, taken: readonly Taken[], images: number): readonly string[] {
  const each = (of: (one: Taken) => number) => median(taken.map(of)) / images
  const all = ({ copierMs, upstreamMs, localMs, storeMs }: Taken) =>
    copierMs + upstreamMs + localMs + storeMs
  return [
    name,
    (1_000 / each(({ ms }) => ms)).toFixed(0),
    each(({ copierMs }) => copierMs).toFixed(1),
    each(({ upstreamMs }) => upstreamMs).toFixed(1),
    each(({ localMs }) => localMs).toFixed(1),
    each(({ storeMs }) => storeMs).toFixed(1),
    each(all).toFixed(1),
    each(({ upstreamRequests }) => upstreamRequests).toFixed(1),
    each(({ localRequests }) => localRequests).toFixed(1),
    each(({ commands }) => commands).toFixed(0),
  ]
}
