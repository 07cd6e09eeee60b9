import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { startProduct } from './product.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { markdownTable } from '../figures/table.ts'
import { verifyCopies } from '../copies/verify.ts'

const HEAD = ['one worker', 'MiB in all', 's', 'peak MiB']

/** The peak of one worker that copies several images of one layer at once, by their size. */
export async function benchMemory({ imagesAtOnce, imageBytes }: Scale): Promise<string> {
  const rows: string[][] = []
  for (const bytes of imageBytes) rows.push(await rowFor(imagesAtOnce, bytes))
  return markdownTable([HEAD, ...rows])
}

async function rowFor(count: number, bytes: number): Promise<string[]> {
  await using upstream = await startRegistry()
  await using local = await startRegistry()
  const publisher = new Publisher(upstream.url)
  const images: PublishedImage[] = []
  for (let number = 0; number < count; number += 1) {
    const layers = layersOf(`memory ${number}`, 1, bytes)
    images.push(await publisher.publish('team/memory', `v${number}`, layers))
  }
  await using product = await startProduct({ upstream, local })
  const tags = images.map(({ tag }) => tag)
  const { ms, peakMib } = await product.copy({ repository: 'team/memory', tags })
  await verifyCopies(local.url, images)
  const all = images.reduce((sum, image) => sum + image.bytes, 0)
  return [
    `${count} images of ${mib(bytes)} MiB at once`,
    mib(all),
    (ms / 1_000).toFixed(1),
    peakMib.toFixed(0),
  ]
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0)
}
