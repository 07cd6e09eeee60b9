import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { publishWarmUp, pullWarmUp, type SiteShape, startGatewaySite } from './gateway-site.ts'
import type { OnMiss } from '../pool/product-config.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import type { Pull } from './pull.ts'
import { pullReport } from './pull-report.ts'
import { pullWhole, takeTurns, titleOf } from './turns.ts'
import { registryMaker } from '../copies/pair.ts'
import { pullThroughCaches } from '../rivals/caches.ts'
import type { Rivals } from '../rivals/rivals.ts'
import type { Scale } from '../scale.ts'
import type { Slowness } from './slow-way.ts'
import { startWay } from './way.ts'

const MIB = 1024 * 1024
/** What a network of 1 Gbit/s carries. */
const GIGABIT = { bytesPerSecond: 110_000_000 }
const FAR_AWAY = { roundTripMs: 50 }
const MODES: readonly OnMiss[] = ['stream', 'hold', 'async']

export function benchColdPull(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals, layerBytes: scale.pulledLayerBytes }, {})
}

export function benchColdPullThrottled(scale: Scale, rivals: Rivals): Promise<string> {
  // Less, for it takes its time.
  return coldPulls(
    { scale, rivals, layerBytes: scale.pulledLayerBytes / 4 },
    { bytesPerSecond: 20_000_000 },
  )
}

export function benchColdPullByGigabit(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals, layerBytes: scale.pulledLayerBytes }, GIGABIT)
}

export function benchColdPullFarAway(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals, layerBytes: scale.pulledLayerBytes }, FAR_AWAY)
}

export function benchSmallColdPullFarAway(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals, layerBytes: Math.min(scale.pulledLayerBytes, MIB) }, FAR_AWAY)
}

/** As nearly everywhere; clients of the gateway and its local registry have plain http, as on one host. */
export async function benchColdPullOverTls(scale: Scale, rivals: Rivals): Promise<string> {
  await using maker = await registryMaker(true)
  await using upstream = await maker.start()
  const layerBytes = scale.pulledLayerBytes
  const trusted = maker.caFile !== undefined && { caFile: maker.caFile }
  const { plainUrl, registry } = upstream
  return await comparedPulls(
    { scale, rivals, layerBytes },
    { url: registry.url, plainUrl, ...trusted },
  )
}

const LAYERS = 4
const PLATFORMS = 4

/** One platform of an image for several, behind 1 Gbit/s. */
export async function benchOnePlatform({
  repetitionsOfPulls,
  pulledLayerBytes,
}: Scale): Promise<string> {
  await using upstream = await startRegistry()
  await using way = await startWay(upstream.url, GIGABIT)
  const publisher = new Publisher(upstream.url)
  await publishWarmUp(publisher)
  const platforms = Array.from({ length: PLATFORMS }, (_, at) =>
    layersOf(`platform ${at}`, LAYERS, pulledLayerBytes / 2),
  )
  const images = await publisher.publishIndex('team/app', '1', platforms)
  const [image] = images.slice(-1)
  if (image === undefined) throw new Error('there are no platforms')
  const pulled = { ...image, tag: '1' }
  const contestants = [
    { name: 'straight from upstream', pull: () => pullWhole(way.url, pulled) },
    { name: 'gateway, stream', pull: () => pullCold(way, 'stream', pulled) },
  ]
  const pulls = await takeTurns(contestants, repetitionsOfPulls)
  return pullReport(`1 of ${PLATFORMS} platforms, ${titleOf(LAYERS, image)}`, pulls)
}

/** Where the images are, at the end of whatever way. */
interface Upstream {
  readonly url: string
  /** The same, to publish to. */
  readonly plainUrl: string
  readonly caFile?: string
}

interface Comparison {
  readonly scale: Scale
  readonly rivals: Rivals
  readonly layerBytes: number
}

async function coldPulls(comparison: Comparison, slowness: Slowness): Promise<string> {
  await using registry = await startRegistry()
  await using way = await startWay(registry.url, slowness)
  return await comparedPulls(comparison, { url: way.url, plainUrl: registry.url })
}

/** The first pull ever, straight from the upstream and through the gateway in each of its modes. */
async function comparedPulls(
  { scale: { repetitionsOfPulls }, rivals, layerBytes }: Comparison,
  upstream: Upstream,
): Promise<string> {
  const { url, plainUrl, caFile } = upstream
  const publisher = new Publisher(plainUrl)
  await publishWarmUp(publisher)
  const image = await publisher.publish('team/app', '1', layersOf('cold', LAYERS, layerBytes))
  const contestants = [
    { name: 'straight from upstream', pull: () => pullWhole(url, image, { caFile }) },
    ...MODES.map((mode) => ({
      name: `gateway, ${mode}`,
      pull: () => pullCold(upstream, mode, image),
    })),
    {
      name: 'pullsync up, stream',
      pull: () => pullCold(upstream, 'stream', image, { together: true }),
    },
    ...(rivals.peers ? await pullThroughCaches() : []).map(({ name, startCache }) => ({
      name,
      pull: async () => {
        await using cache = await startCache(url, caFile)
        await pullWarmUp(cache.url)
        return await pullWhole(cache.url, image)
      },
    })),
  ]
  return pullReport(titleOf(LAYERS, image), await takeTurns(contestants, repetitionsOfPulls))
}

async function pullCold(
  upstream: { readonly url: string; readonly caFile?: string },
  mode: OnMiss,
  image: PublishedImage,
  shape: SiteShape = {},
): Promise<Pull> {
  await using site = await startGatewaySite(upstream, mode, shape)
  return await pullWhole(site.url, image)
}
