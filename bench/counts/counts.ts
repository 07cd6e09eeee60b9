import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { markdownTable } from '../figures/table.ts'
import { type CopyCounts, countCopies, totalOf } from './copy-counts.ts'

const HEAD = ['', 'images', 'blobs', 'requests upstream', 'requests local', 'Redis sent', 'done']

interface Counted {
  readonly name: string
  readonly images: readonly PublishedImage[]
}

/** Requests and Redis commands of one worker, with referrers, from the job's start to its end. */
export async function benchCounts(scale: Scale): Promise<string> {
  await using upstream = await startRegistry()
  const rows: (readonly string[])[] = []
  const kinds: string[] = []
  for (const { name, images } of await published(new Publisher(upstream.url), scale)) {
    const counts = await countCopies(upstream, images)
    rows.push(rowOf(name, images, counts))
    kinds.push(`${name}: ${kindsOf(counts)}`)
  }
  return `${markdownTable([HEAD, ...rows])}\n\n${kinds.join('\n\n')}`
}

async function published(publisher: Publisher, scale: Scale): Promise<readonly Counted[]> {
  const small = layersOf('small', scale.smallLayers, 256 * 1024)
  const large = layersOf('large', 8, scale.layerBytes)
  const base = layersOf('base', 4, 1024 * 1024)
  const tags: PublishedImage[] = []
  for (let tag = 0; tag < scale.tags; tag += 1) {
    const own = layersOf(`own ${tag}`, 1, 20_000)
    tags.push(await publisher.publish('team/shared', `v${tag}`, [...base, ...own]))
  }
  return [
    { name: 'small layers', images: [await publisher.publish('team/small', '1', small)] },
    { name: 'large layers', images: [await publisher.publish('team/large', '1', large)] },
    { name: 'tags sharing layers', images: tags },
  ]
}

function rowOf(
  name: string,
  images: readonly PublishedImage[],
  { upstream, local, redis }: CopyCounts,
): readonly string[] {
  const blobs = new Set(images.flatMap((image) => image.blobs)).size
  const counts = [totalOf(upstream), totalOf(local), totalOf(redis.sent), redis.done]
  return [name, ...[images.length, blobs, ...counts].map(String)]
}

function kindsOf({ upstream, local, redis }: CopyCounts): string {
  const list = (counts: ReadonlyMap<string, number>) =>
    [...counts]
      .sort(([, one], [, other]) => other - one)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ')
  return `upstream ${list(upstream)}; local ${list(local)}; Redis ${list(redis.sent)}`
}
