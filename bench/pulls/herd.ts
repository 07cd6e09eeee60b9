import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { peakMibOf } from '../figures/usage.ts'
import { pullThroughCaches } from '../rivals/caches.ts'
import type { Rivals } from '../rivals/rivals.ts'
import type { Scale } from '../scale.ts'
import { publishWarmUp, pullWarmUp, startGatewaySite } from './gateway-site.ts'
import { pullImage } from './pull.ts'

const HEAD = [
  'at the same moment',
  'MiB',
  'median s',
  'slowest s',
  'upstream sent',
  'peak MiB: gateway or cache',
  'worker',
]

/** What all clients pull at the same moment, and the processes that stand between. */
interface Crowded extends AsyncDisposable {
  readonly url: string
  readonly pids: readonly (number | undefined)[]
}

interface Contestant {
  readonly name: string
  readonly start: (upstream: TestRegistry) => Promise<Crowded>
}

/** Clients that all want the same image which is not here; the peak memory of who brings it. */
export async function benchHerd({ herds, herdLayerBytes }: Scale, rivals: Rivals): Promise<string> {
  await using upstream = await startRegistry()
  const publisher = new Publisher(upstream.url)
  await publishWarmUp(publisher)
  const image = await publisher.publish('team/app', '1', layersOf('herd', 4, herdLayerBytes))
  const contestants = [...PULLSYNC, ...(rivals.peers ? await caches() : [])]
  const rows = []
  for (const clients of herds) {
    for (const contestant of contestants) {
      rows.push(await rowOf({ upstream, image, clients }, contestant))
    }
  }
  return markdownTable([HEAD, ...rows])
}

const PULLSYNC: readonly Contestant[] = [
  { name: 'gateway and worker', start: (upstream) => crowdedSite(upstream, false) },
  { name: 'pullsync up', start: (upstream) => crowdedSite(upstream, true) },
]

async function crowdedSite(upstream: TestRegistry, together: boolean): Promise<Crowded> {
  const site = await startGatewaySite(upstream, 'stream', { together })
  const { serving, workers } = site.product
  const dispose = () => site[Symbol.asyncDispose]()
  const pids = [serving, ...workers].map((one) => one?.child.pid)
  return { url: site.url, pids, [Symbol.asyncDispose]: dispose }
}

async function caches(): Promise<readonly Contestant[]> {
  const found = await pullThroughCaches()
  return found.map(({ name, startCache }) => ({
    name,
    start: async ({ url }) => {
      const cache = await startCache(url)
      await pullWarmUp(cache.url)
      const dispose = () => cache[Symbol.asyncDispose]()
      return { url: cache.url, pids: [cache.pid()], [Symbol.asyncDispose]: dispose }
    },
  }))
}

interface Crowd {
  readonly upstream: TestRegistry
  readonly image: PublishedImage
  readonly clients: number
}

async function rowOf({ upstream, image, clients }: Crowd, { name, start }: Contestant) {
  await using crowded = await start(upstream)
  const before = await sentBy(upstream)
  const pulls = await Promise.all(
    Array.from({ length: clients }, () => pullImage(crowded.url, image.repository, image.tag)),
  )
  if (pulls.some(({ bytes }) => bytes !== image.bytes)) throw new Error('a client got not all')
  const peaks = crowded.pids.map((pid) => peakMibOf(pid ?? 0) ?? NaN)
  const sent = (await sentBy(upstream)) - before
  const times = pulls.map(({ ms }) => ms / 1_000)
  return [
    `${clients} clients: ${name}`,
    (image.bytes / 1024 / 1024).toFixed(0),
    median(times).toFixed(1),
    Math.max(...times).toFixed(1),
    `${(sent / image.bytes).toFixed(2)}×`,
    (peaks[0] ?? NaN).toFixed(0),
    peaks[1]?.toFixed(0) ?? '',
  ]
}

/** Of blobs. Its log is whole only once it has ended, so it is started anew. */
async function sentBy(upstream: TestRegistry): Promise<number> {
  await upstream.stop()
  await upstream.start()
  return upstream
    .requests({ method: 'GET', path: /\/v2\/team\/app\/blobs\// })
    .reduce((sum, { bytes }) => sum + bytes, 0)
}
