import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { ENGINE } from './engine.ts'
import { layersOf, Publisher } from '../content/publish.ts'
import { pullImage } from '../pulls/pull.ts'
import type { Scale } from '../scale.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { verifyCopies } from './verify.ts'
import { startWay } from '../pulls/way.ts'

/** As object stores have it. */
const EACH = { bytesPerSecondEach: 30_000_000 }
const LAYERS_IN_ONE = 8

/** One layer of a server that limits each connection: read over one, and copied. */
export async function benchLimited({ layerBytes, repetitions }: Scale): Promise<string> {
  await using upstream = await startRegistry()
  await using way = await startWay(upstream.url, EACH)
  const layers = layersOf('limited', 1, LAYERS_IN_ONE * layerBytes)
  const image = await new Publisher(upstream.url).publish('team/limited', '1', layers)
  const [read, copied]: [number[], number[]] = [[], []]
  let peak = 0
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    read.push((await pullImage(way.url, image.repository, image.tag)).ms)
    await using local = await startRegistry()
    const { url } = way
    await using engine = await ENGINE.enter({ upstream: { ...upstream, url }, local })
    const { ms, peakMib } = await engine.copy({ repository: image.repository, tags: [image.tag] })
    copied.push(ms)
    peak = Math.max(peak, peakMib)
    await verifyCopies(local.url, [image])
  }
  const one = median(read)
  const row = (name: string, times: readonly number[], mib = '') => [
    name,
    (median(times) / 1_000).toFixed(1),
    `${(median(times) / one).toFixed(2)}×`,
    mib,
  ]
  return markdownTable([
    [`1 layer, ${(image.bytes / 1024 ** 2).toFixed(0)} MiB`, 'median s', 'ratio', 'peak MiB'],
    row('read over one connection, kept nowhere', read),
    row('copied by the pullsync engine', copied, peak.toFixed(0)),
  ])
}
