import { startRegistry } from '../test/support/docker-registry.ts'
import { type Copies, measureCopies } from './copies.ts'
import { copyReport } from './copy-report.ts'
import { ENGINE } from './engine.ts'
import { PRODUCT } from './product.ts'
import { layersOf, Publisher } from './publish.ts'
import type { Scale } from './scale.ts'
import { SKOPEO_COPY, SKOPEO_SYNC } from './skopeo.ts'

/** One large image: side by side with skopeo on the same two registries, as the other two. */
export function benchLargeImage(scale: Scale): Promise<string> {
  return compared(largeImage, scale)
}

export function benchSmallLayers(scale: Scale): Promise<string> {
  return compared(smallLayers, scale)
}

export function benchManyTags(scale: Scale): Promise<string> {
  return compared(manyTags, scale)
}

type Plan = (publisher: Publisher, scale: Scale) => Promise<Copies>

async function compared(plan: Plan, scale: Scale): Promise<string> {
  await using upstream = await startRegistry()
  const copies = await plan(new Publisher(upstream.url), scale)
  return copyReport(await measureCopies(upstream, copies))
}

/** Once; again, when all is there; and into a second repository, where only the name is new. */
async function largeImage(publisher: Publisher, scale: Scale): Promise<Copies> {
  const layers = layersOf('large', 8, scale.layerBytes)
  const first = await publisher.publish('team/large', '1', layers)
  const second = await publisher.publish('team/second', '1', layers)
  return {
    entries: [SKOPEO_COPY, ENGINE, PRODUCT],
    repetitions: scale.repetitions,
    steps: [
      { name: '8 large layers', images: [first] },
      { name: 'the same again', images: [first] },
      { name: 'second repository', images: [second] },
    ],
  }
}

async function smallLayers(publisher: Publisher, scale: Scale): Promise<Copies> {
  const layers = layersOf('small', scale.smallLayers, 256 * 1024)
  return {
    entries: [SKOPEO_COPY, ENGINE, PRODUCT],
    repetitions: scale.repetitions,
    steps: [{ name: 'small layers', images: [await publisher.publish('team/small', '1', layers)] }],
  }
}

async function manyTags(publisher: Publisher, scale: Scale): Promise<Copies> {
  const base = layersOf('base', 4, 1024 * 1024)
  const images = []
  for (let tag = 0; tag < scale.tags; tag += 1) {
    const own = layersOf(`own ${tag}`, 1, 20_000)
    images.push(await publisher.publish('team/tags', `v${tag}`, [...base, ...own]))
  }
  return {
    entries: [SKOPEO_SYNC, ENGINE, PRODUCT],
    repetitions: scale.repetitionsOfTags,
    steps: [{ name: 'tags sharing layers', images }],
  }
}
