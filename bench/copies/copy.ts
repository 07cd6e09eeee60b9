import { type Copies, measureCopies } from './copies.ts'
import { copyReport } from './copy-report.ts'
import { ENGINE } from './engine.ts'
import { registryMaker } from './pair.ts'
import { layersOf, Publisher } from '../content/publish.ts'
import { type Rivals, rivalsForOne, rivalsForTags } from '../rivals/rivals.ts'
import type { Scale } from '../scale.ts'

/** One large image: side by side with others on the same two registries, as the rest. */
export function benchLargeImage(scale: Scale, rivals: Rivals): Promise<string> {
  return compared(largeImage, { scale, rivals })
}

/** As much in one layer: nothing of it can be copied beside the rest. */
export function benchOneLayer(scale: Scale, rivals: Rivals): Promise<string> {
  return compared(oneLayer, { scale, rivals })
}

/** The same where both registries are https, as nearly everywhere. */
export function benchLargeImageOverTls(scale: Scale, rivals: Rivals): Promise<string> {
  return compared(largeImageOnce, { scale, rivals, overTls: true })
}

export function benchSmallLayers(scale: Scale, rivals: Rivals): Promise<string> {
  return compared(smallLayers, { scale, rivals })
}

export function benchManyTags(scale: Scale, rivals: Rivals): Promise<string> {
  return compared(manyTags, { scale, rivals })
}

interface Comparison {
  readonly scale: Scale
  readonly rivals: Rivals
  readonly overTls?: boolean
}

type Plan = (publisher: Publisher, comparison: Comparison) => Promise<Copies>

async function compared(plan: Plan, comparison: Comparison): Promise<string> {
  await using maker = await registryMaker(comparison.overTls ?? false)
  await using upstream = await maker.start()
  const copies = await plan(new Publisher(upstream.plainUrl), comparison)
  return copyReport(await measureCopies({ upstream, maker }, copies))
}

/** Once; again, when all is there; and into a second repository, where only the name is new. */
async function largeImage(publisher: Publisher, { scale, rivals }: Comparison): Promise<Copies> {
  const layers = layersOf('large', 8, scale.layerBytes)
  const first = await publisher.publish('team/large', '1', layers)
  const second = await publisher.publish('team/second', '1', layers)
  return {
    entries: await rivalsForOne(rivals),
    repetitions: scale.repetitions,
    steps: [
      { name: '8 large layers', images: [first] },
      { name: 'the same again', images: [first] },
      { name: 'second repository', images: [second] },
    ],
  }
}

async function oneLayer(publisher: Publisher, { scale, rivals }: Comparison): Promise<Copies> {
  const layers = layersOf('one', 1, scale.layerBytes * 8)
  return {
    entries: await rivalsForOne(rivals),
    repetitions: scale.repetitions,
    steps: [{ name: '1 large layer', images: [await publisher.publish('team/one', '1', layers)] }],
  }
}

async function largeImageOnce(
  publisher: Publisher,
  { scale, rivals }: Comparison,
): Promise<Copies> {
  const layers = layersOf('large', 8, scale.layerBytes)
  const entries = await rivalsForOne(rivals)
  const image = await publisher.publish('team/large', '1', layers)
  return {
    // It is given no authority of our own.
    entries: entries.filter((entry) => entry !== ENGINE),
    repetitions: scale.repetitions,
    steps: [{ name: '8 large layers over TLS', images: [image] }],
  }
}

async function smallLayers(publisher: Publisher, { scale, rivals }: Comparison): Promise<Copies> {
  const layers = layersOf('small', scale.smallLayers, 256 * 1024)
  return {
    entries: await rivalsForOne(rivals),
    repetitions: scale.repetitions,
    steps: [{ name: 'small layers', images: [await publisher.publish('team/small', '1', layers)] }],
  }
}

async function manyTags(publisher: Publisher, { scale, rivals }: Comparison): Promise<Copies> {
  const base = layersOf('base', 4, 1024 * 1024)
  const images = []
  for (let tag = 0; tag < scale.tags; tag += 1) {
    const own = layersOf(`own ${tag}`, 1, 20_000)
    images.push(await publisher.publish('team/tags', `v${tag}`, [...base, ...own]))
  }
  return {
    entries: await rivalsForTags(rivals),
    repetitions: scale.repetitionsOfTags,
    steps: [{ name: 'tags sharing layers', images }],
  }
}
