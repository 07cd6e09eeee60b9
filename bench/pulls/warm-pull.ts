import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { layersOf, Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { publishWarmUp, startGatewaySite } from './gateway-site.ts'
import { startHandOver } from './hand-over.ts'
import { pullReport } from './pull-report.ts'
import { pullWhole, takeTurns, titleOf } from './turns.ts'

const LAYERS = 4

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
  return pullReport(titleOf(LAYERS, image), pulls)
}
