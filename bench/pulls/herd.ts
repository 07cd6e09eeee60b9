import { startRegistry } from '../../test/support/docker-registry.ts'
import { publishWarmUp, startGatewaySite } from './gateway-site.ts'
import { layersOf, Publisher } from '../content/publish.ts'
import { pullImage } from './pull.ts'
import type { Scale } from '../scale.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { peakMibOf } from '../figures/usage.ts'

const HEAD = ['at the same moment', 'MiB', 'median s', 'upstream sent', 'gateway MiB', 'worker MiB']

/** Clients that all want the same image which is not here; the peak memory of both processes. */
export async function benchHerd({ herd, herdLayerBytes }: Scale): Promise<string> {
  await using upstream = await startRegistry()
  const publisher = new Publisher(upstream.url)
  await publishWarmUp(publisher)
  const image = await publisher.publish('team/app', '1', layersOf('herd', 4, herdLayerBytes))
  await using site = await startGatewaySite(upstream, 'stream')
  const pulls = await Promise.all(
    Array.from({ length: herd }, () => pullImage(site.url, image.repository, image.tag)),
  )
  if (pulls.some(({ bytes }) => bytes !== image.bytes)) throw new Error('a client got not all')
  const { serving, workers } = site.product
  const peaks = [serving, workers[0]].map((one) => peakMibOf(one?.child.pid ?? 0) ?? NaN)
  // Only then are all lines of its log here.
  await upstream.stop()
  const sent = upstream
    .requests({ method: 'GET', path: /\/v2\/team\/app\/blobs\// })
    .reduce((sum, { bytes }) => sum + bytes, 0)
  return markdownTable([
    HEAD,
    [
      `${herd} clients`,
      (image.bytes / 1024 / 1024).toFixed(0),
      (median(pulls.map(({ ms }) => ms)) / 1_000).toFixed(1),
      `${(sent / image.bytes).toFixed(2)}×`,
      ...peaks.map((mib) => mib.toFixed(0)),
    ],
  ])
}
