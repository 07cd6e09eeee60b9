import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

const ANY = { accept: 'application/vnd.oci.image.manifest.v1+json' }
const MIB = 1024 * 1024

/** GET of a blob through the gateway; tells what has come of it, and in the end its digest. */
function pullBlob(site: Site, repository: string, digest: string) {
  const hash = createHash('sha256')
  let bytes = 0
  const whole = (async () => {
    const response = await fetch(`http://${site.gateway}/v2/${repository}/blobs/${digest}`)
    if (response.status !== 200 || response.body === null) return `status ${response.status}`
    for await (const piece of response.body) {
      hash.update(piece as Uint8Array)
      bytes += (piece as Uint8Array).length
    }
    return `sha256:${hash.digest('hex')}`
  })()
  // A test that fails before it gets there has told enough.
  whole.catch(() => undefined)
  return { bytes: () => bytes, whole }
}

describe('a pull that comes while a push event is being worked off', () => {
  let site: Site

  beforeEach(async () => {
    site = await startSite({
      throughLine: true,
      upstreamConfig: '    concurrency: 1',
      project: '    onUpstreamPush: always\n    onMiss: stream\n    holdFor: 5s',
    })
  })

  afterEach(async () => {
    await site[Symbol.asyncDispose]()
  })

  async function publishedAndHeld(name: string, layers: number, layerBytes: number) {
    site.line.hold(2 * MIB)
    const image = await site.publish(name, { index: false, layers, layerBytes })
    await eventually(() => site.line.held(), { describe: 'the copy to be in the midst of a layer' })
    return image
  }

  async function pullManifest(repository: string, tag: string) {
    return await fetch(`http://${site.gateway}/v2/${repository}/manifests/${tag}`, { headers: ANY })
  }

  it('gets the manifest at once, and follows the layer that is being fetched already', async () => {
    const image = await publishedAndHeld('team/pushed:1.0', 1, 40 * MIB)
    const layer = image.blobs.find(({ size }) => size >= 40 * MIB)
    if (layer === undefined) throw new Error('the image has no such layer')

    const manifest = await pullManifest('team/pushed', '1.0')

    expect(manifest.status).toBe(200)
    expect(Buffer.from(await manifest.arrayBuffer())).toEqual(image.top.bytes)
    const client = pullBlob(site, 'team/pushed', layer.digest)
    await eventually(() => site.line.held() && client.bytes() > MIB, {
      describe: 'the part that has come to be at the client',
    })
    expect(await digestAt(site.local, 'team/pushed:1.0')).toBeUndefined()

    site.line.release()

    expect(await client.whole).toBe(layer.digest)
    const gets = { method: 'GET', path: new RegExp(`/blobs/${layer.digest}$`) }
    expect(await loggedRequests(site.upstream, gets)).toHaveLength(1)
    await arrives(site, 'team/pushed:1.0', image)
  })

  it('follows small layers, too, from the next one on', async () => {
    const image = await publishedAndHeld('team/small:1.0', 2, 8 * MIB)
    const layers = image.blobs.filter(({ size }) => size >= 8 * MIB)
    expect(await pullManifest('team/small', '1.0')).toMatchObject({ status: 200 })
    const clients = layers.map(({ digest }) => pullBlob(site, 'team/small', digest))

    site.line.release()
    site.line.hold(10 * MIB)

    await eventually(
      () => site.line.held() && clients.some(({ bytes }) => bytes() > MIB && bytes() < 8 * MIB),
      { describe: 'the part of the other layer that has come to be at the client' },
    )
    site.line.release()
    expect(await Promise.all(clients.map(({ whole }) => whole))).toEqual(
      layers.map(({ digest }) => digest),
    )
    await arrives(site, 'team/small:1.0', image)
  })
})
