import { startRegistry, type TestRegistry } from '../test/support/docker-registry.ts'
import { eventually } from '../test/support/eventually.ts'
import { freePort } from '../test/support/free-port.ts'
import { Started } from '../test/support/started.ts'
import { OCI_MANIFEST } from '../src/oci/media-types.ts'
import { type Product, startProduct } from './product.ts'
import type { OnMiss } from './product-config.ts'
import { layersOf, type Publisher } from './publish.ts'
import { pullImage } from './pull.ts'

/** An empty local registry behind a gateway, with one worker; everything has run once. */
export interface GatewaySite extends AsyncDisposable {
  readonly url: string
  readonly local: TestRegistry
  readonly product: Product
}

/** @param upstream at the end of whatever way pullsync is to take to it */
export async function startGatewaySite(
  upstream: { readonly url: string },
  onMiss: OnMiss,
  { redirects = false } = {},
): Promise<GatewaySite> {
  const started = new Started()
  try {
    const local = await started.add(startRegistry())
    const [listen, admin] = [await freePort(), await freePort()]
    const serving = { listen, admin, secret: 'bench-secret-of-the-gateway', onMiss, redirects }
    const product = await started.add(startProduct({ upstream, local }, { serving }))
    const url = `http://127.0.0.1:${listen}`
    await pullImage(url, WARM_UP, '1')
    const tag = `${local.url}/v2/${WARM_UP}/manifests/1`
    await eventually(async () => (await fetch(tag, { headers: { accept: OCI_MANIFEST } })).ok, {
      describe: 'the copy of the first image to be over',
    })
    const dispose = () => started[Symbol.asyncDispose]()
    return { url, local, product, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await started[Symbol.asyncDispose]()
    throw error
  }
}

const WARM_UP = 'team/warm-up'

/** What every site pulls before it is measured: code is compiled, connections are open. */
export async function publishWarmUp(publisher: Publisher): Promise<void> {
  await publisher.publish(WARM_UP, '1', layersOf('warm-up', 2, 1024 * 1024))
}
