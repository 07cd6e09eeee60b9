import { startRegistry } from '../../test/support/docker-registry.ts'
import { startHandOver } from './hand-over.ts'
import { publishWarmUp, type SiteShape, startGatewaySite } from './gateway-site.ts'
import type { OnMiss } from '../pool/product-config.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import { type Pull, pullImage } from './pull.ts'
import { pullReport } from './pull-report.ts'
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
  return coldPulls({ scale, rivals }, scale.pulledLayerBytes, {})
}

export function benchColdPullThrottled(scale: Scale, rivals: Rivals): Promise<string> {
  // Less, for it takes its time.
  return coldPulls({ scale, rivals }, scale.pulledLayerBytes / 4, { bytesPerSecond: 20_000_000 })
}

export function benchColdPullByGigabit(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals }, scale.pulledLayerBytes, GIGABIT)
}

export function benchColdPullFarAway(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals }, scale.pulledLayerBytes, FAR_AWAY)
}

export function benchSmallColdPullFarAway(scale: Scale, rivals: Rivals): Promise<string> {
  return coldPulls({ scale, rivals }, Math.min(scale.pulledLayerBytes, MIB), FAR_AWAY)
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
  return pullReport(`1 of ${PLATFORMS} platforms, ${title(image)}`, pulls)
}

/** The first pull ever, straight from the upstream and through the gateway in each of its modes. */
async function coldPulls(
  { scale: { repetitionsOfPulls }, rivals }: { readonly scale: Scale; readonly rivals: Rivals },
  layerBytes: number,
  slowness: Slowness,
): Promise<string> {
  await using upstream = await startRegistry()
  await using way = await startWay(upstream.url, slowness)
  const publisher = new Publisher(upstream.url)
  await publishWarmUp(publisher)
  const image = await publisher.publish('team/app', '1', layersOf('cold', LAYERS, layerBytes))
  const contestants = [
    { name: 'straight from upstream', pull: () => pullWhole(way.url, image) },
    ...MODES.map((mode) => ({ name: `gateway, ${mode}`, pull: () => pullCold(way, mode, image) })),
    {
      name: 'pullsync up, stream',
      pull: () => pullCold(way, 'stream', image, { together: true }),
    },
    ...(rivals.peers ? await pullThroughCaches() : []).map(({ name, startCache }) => ({
      name,
      pull: async () => {
        await using cache = await startCache(way.url)
        return await pullWhole(cache.url, image)
      },
    })),
  ]
  return pullReport(title(image), await takeTurns(contestants, repetitionsOfPulls))
}

async function pullCold(
  way: { readonly url: string },
  mode: OnMiss,
  image: PublishedImage,
  shape: SiteShape = {},
): Promise<Pull> {
  await using site = await startGatewaySite(way, mode, shape)
  return await pullWhole(site.url, image)
}

/** What is here already, straight from the local registry and through the gateway. */
export async function benchWarmPull(scale: Scale): Promise<string> {
  await using upstream = await startRegistry()
  const publisher = new Publisher(upstream.url)
  await publishWarmUp(publisher)
  const layers = layersOf('warm', LAYERS, scale.pulledLayerBytes)
  const image = await publisher.publish('team/app', '1', layers)
  await using site = await startGatewaySite(upstream, 'stream')
  await using redirecting = await startGatewaySite(upstream, 'stream', { redirects: true })
  for (const { product } of [site, redirecting]) {
    await product.copy({ repository: image.repository, tags: [image.tag] })
  }
  await using nginx = await startHandOver(site)
  const from = (url: string) => () => pullWhole(url, image, { hashes: false })
  const contestants = [
    { name: 'straight from the local registry', pull: from(site.local.url) },
    { name: 'gateway', pull: from(site.url) },
    { name: 'gateway, redirectBlobsTo', pull: from(redirecting.url) },
    { name: 'nginx that hands misses over', pull: from(nginx.url) },
  ]
  const pulls = await takeTurns(contestants, scale.repetitionsOfPulls * 5)
  return pullReport(title(image), pulls)
}

interface Puller {
  readonly name: string
  readonly pull: () => Promise<Pull>
}

async function takeTurns(pullers: readonly Puller[], repetitions: number) {
  const taken = pullers.map(({ name }) => ({ name, pulls: [] as Pull[] }))
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const order = pullers.map((puller, at) => ({ puller, at }))
    if (repetition % 2 === 1) order.reverse()
    for (const { puller, at } of order) taken[at]?.pulls.push(await puller.pull())
  }
  return taken
}

async function pullWhole(
  url: string,
  { repository, tag, bytes }: PublishedImage,
  how: { readonly hashes?: boolean } = {},
): Promise<Pull> {
  const pull = await pullImage(url, repository, tag, how)
  if (pull.bytes !== bytes) throw new Error(`${pull.bytes} of ${bytes} bytes were pulled`)
  return pull
}

function title({ bytes }: PublishedImage): string {
  return `${LAYERS} layers, ${(bytes / MIB).toFixed(0)} MiB`
}
