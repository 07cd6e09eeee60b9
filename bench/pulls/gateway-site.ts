import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { Started } from '../../test/support/process/started.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { type Product, startProduct } from '../pool/product.ts'
import type { OnMiss } from '../pool/product-config.ts'
import { layersOf, type Publisher } from '../content/publish.ts'
import { pullImage } from './pull.ts'

/** An empty local registry behind a gateway, with one worker, which have worked for a while. */
export interface GatewaySite extends AsyncDisposable {
  readonly url: string
  readonly local: TestRegistry
  readonly product: Product
}

/** @param upstream at the end of whatever way pullsync is to take to it */
export async function startGatewaySite(
  upstream: { readonly url: string; readonly caFile?: string },
  onMiss: OnMiss,
  { redirects = false, together = false }: SiteShape = {},
): Promise<GatewaySite> {
  const started = new Started()
  try {
    const local = await started.add(startRegistry())
    const [listen, admin] = [await freePort(), await freePort()]
    const trust = upstream.caFile !== undefined && { caFile: upstream.caFile }
    const serving = { listen, admin, secret: 'bench-secret-of-the-gateway', onMiss, redirects }
    const product = await started.add(
      startProduct({ ...trust, upstream, local }, { serving, together }),
    )
    const url = `http://127.0.0.1:${listen}`
    await pullWarmUp(url, (tag) => copied(local, tag))
    const dispose = () => started[Symbol.asyncDispose]()
    return { url, local, product, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await started[Symbol.asyncDispose]()
    throw error
  }
}

export interface SiteShape {
  /** Clients are sent to the local registry for what is here. */
  readonly redirects?: boolean
  /** One process, `pullsync up`. */
  readonly together?: boolean
}

/** Ten images: V8 compiles what has run some times. */
const WARM_UP = {
  repository: 'team/warm-up',
  tags: Array.from({ length: 10 }, (_, at) => `${at}`),
}

/** What every site pulls before it is measured: code is compiled, connections are open. */
export async function publishWarmUp(publisher: Publisher): Promise<void> {
  for (const tag of WARM_UP.tags) {
    await publisher.publish(WARM_UP.repository, tag, layersOf(`warm-up ${tag}`, 3, 1024 * 1024))
  }
}

/** @param settled what is waited for after each pull */
export async function pullWarmUp(
  url: string,
  settled: (tag: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  for (const tag of WARM_UP.tags) {
    await pullImage(url, WARM_UP.repository, tag)
    await settled(tag)
  }
}

/** Resolves when the local registry has it, and nothing goes on beside what is measured. */
async function copied(local: TestRegistry, tag: string): Promise<void> {
  const url = `${local.url}/v2/${WARM_UP.repository}/manifests/${tag}`
  await eventually(async () => (await fetch(url, { headers: { accept: OCI_MANIFEST } })).ok, {
    describe: `the copy of ${tag} to be over`,
  })
}
