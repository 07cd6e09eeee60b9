import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { skopeo } from '../../support/images/skopeo.ts'
import { digestAt, type Site, startSite } from '../site.ts'
import { blobGets, index, largestOf, openBlob, reading } from './streamed-blobs.ts'

const MIB = 1024 * 1024

describe('the gateway, streaming to clients', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      workers: 2,
      throughLine: true,
      project: '    onMiss: stream\n    holdFor: 15s',
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('makes the very first pull of a missing multi-arch image work, byte for byte', async () => {
    const image = await site.publish('team/hello:1.0', { layers: 3, layerBytes: MIB })

    const pulled = await skopeo([
      ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${site.gateway}/team/hello:1.0`, `dir:${image.folder}/pulled`],
    ])

    expect(pulled).toMatchObject({ code: 0 })
    await eventually(
      async () => (await digestAt(site.local, 'team/hello:1.0')) === image.top.digest,
      { describe: 'the image to be in the local registry, too' },
    )
    for (const { digest } of image.blobs) expect(await blobGets(site, digest)).toHaveLength(1)
  })

  it('tells of a tag that is upstream only, to who asks by HEAD for one type', async () => {
    await using image = await site.publish('team/asked:1.0')
    const accept = image.top.mediaType

    const url = `http://${site.gateway}/v2/team/asked/manifests`
    const head = await fetch(`${url}/1.0`, { method: 'HEAD', headers: { accept } })
    const child = image.manifests[0]
    const part = await fetch(`${url}/${child?.digest ?? ''}`, {
      method: 'HEAD',
      headers: { accept: child?.mediaType ?? '' },
    })

    expect(head.status).toBe(200)
    expect(head.headers.get('docker-content-digest')).toBe(image.top.digest)
    // By its digest that is how a push asks what it may leave out.
    expect(part.status).toBe(404)
  })

  it('gives manifests and bytes while the blob is still coming', async () => {
    const image = await site.publish('team/coming:1.0', {
      index: false,
      layers: 1,
      layerBytes: 24 * MIB,
    })
    const layer = largestOf(image)
    site.line.hold(8 * MIB)

    const manifest = await index(site, 'team/coming', '1.0')
    expect(manifest.status).toBe(200)
    expect(manifest.headers.get('docker-content-digest')).toBe(image.top.digest)
    expect(Buffer.from(await manifest.arrayBuffer())).toEqual(image.top.bytes)
    const { response } = await openBlob(site, 'team/coming', layer.digest)
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-length']).toBe(String(layer.size))
    const client = reading(response)
    await eventually(() => site.line.held() && client.bytes() > 6 * MIB, {
      describe: 'the part that upstream has sent to be at the client',
    })
    // A client that comes later gets what was fetched before it came.
    const late = reading((await openBlob(site, 'team/coming', layer.digest)).response)
    await eventually(() => late.bytes() > 6 * MIB, { describe: 'the late client to catch up' })
    expect(await digestAt(site.local, 'team/coming:1.0')).toBeUndefined()

    site.line.release()

    expect(await Promise.all([client.whole, late.whole])).toEqual([layer.digest, layer.digest])
    expect(await blobGets(site, layer.digest)).toHaveLength(1)
  })

  it('continues a client in the middle of a blob', async () => {
    const image = await site.publish('team/ranged:1.0', {
      index: false,
      layers: 1,
      layerBytes: 8 * MIB,
    })
    const layer = largestOf(image)
    site.line.hold(2 * MIB)
    await index(site, 'team/ranged', '1.0')

    const { response } = await openBlob(site, 'team/ranged', layer.digest, `bytes=100-`)

    expect(response.statusCode).toBe(206)
    expect(response.headers['content-range']).toBe(`bytes 100-${layer.size - 1}/${layer.size}`)
    const client = reading(response)
    site.line.release()
    await client.whole
    expect(client.bytes()).toBe(layer.size - 100)
  })

  it('gives the end of a blob that is still coming, where a client asks for no more', async () => {
    const image = await site.publish('team/tail:1.0', {
      ...{ index: false, layers: 1, layerBytes: 8 * MIB },
    })
    const layer = largestOf(image)
    site.line.hold(2 * MIB)
    await index(site, 'team/tail', '1.0')

    const { response } = await openBlob(site, 'team/tail', layer.digest, 'bytes=-51')

    expect(response.statusCode).toBe(206)
    expect(response.headers['content-range']).toBe(
      `bytes ${layer.size - 51}-${layer.size - 1}/${layer.size}`,
    )
    const client = reading(response)
    site.line.release()
    await client.whole
    expect(client.bytes()).toBe(51)
  })

  it('gives a blob that is still coming in five parts at once, of which the last is asked for first', async () => {
    const image = await site.publish('team/parts:1.0', {
      // No part is so far behind what has come, be it nothing, that it is asked for by itself.
      ...{ index: false, layers: 1, layerBytes: 4 * MIB },
    })
    const layer = largestOf(image)
    const size = Math.ceil(layer.size / 5)
    site.line.hold(2 * MIB)
    await index(site, 'team/parts', '1.0')

    const url = `http://${site.gateway}/v2/team/parts/blobs/${layer.digest}`
    const asked = [4, 3, 2, 1, 0].map(async (part) => {
      const last = Math.min((part + 1) * size, layer.size) - 1
      return await fetch(url, { headers: { range: `bytes=${part * size}-${last}` } })
    })
    const heads = await Promise.all(asked)
    site.line.release()
    const parts = await Promise.all(
      heads.map(async (each) => Buffer.from(await each.arrayBuffer())),
    )

    expect(heads.map(({ status }) => status)).toEqual([206, 206, 206, 206, 206])
    const whole = createHash('sha256').update(Buffer.concat(parts.reverse())).digest('hex')
    expect(`sha256:${whole}`).toBe(layer.digest)
    expect(await blobGets(site, layer.digest)).toHaveLength(1)
  })

  it('says by HEAD that a blob is here once it is, and not before', async () => {
    const image = await site.publish('team/headed:1.0', {
      ...{ index: false, layers: 1, layerBytes: 8 * MIB },
    })
    const layer = largestOf(image)
    const path = `/v2/team/headed/blobs/${layer.digest}`
    site.line.hold(2 * MIB)
    await index(site, 'team/headed', '1.0')

    // Not the client that pulls: this one may be about to push.
    const headers = { 'user-agent': 'another/1' }
    const head = fetch(`http://${site.gateway}${path}`, { method: 'HEAD', headers })
    await eventually(
      () => site.local.requests({ method: 'HEAD', path: new RegExp(path) }).length > 2,
      {
        describe: 'the gateway to look for it again',
      },
    )
    site.line.release()

    expect((await head).status).toBe(200)
    expect((await head).headers.get('content-length')).toBe(String(layer.size))
    // Straight from distribution 2.8.2, it may be 500 for a moment while that links the blob.
    await eventually(
      async () => (await fetch(site.local.url + path, { method: 'HEAD' })).status === 200,
    )
  })

  it('shows nothing of an image to who asks for its blobs in another repository', async () => {
    const image = await site.publish('team/private:1.0', {
      index: false,
      layers: 1,
      layerBytes: 8 * MIB,
    })
    const layer = largestOf(image)
    site.line.hold(2 * MIB)
    await index(site, 'team/private', '1.0')
    await eventually(() => site.line.held(), { describe: 'the copy to be under way' })

    const { response } = await openBlob(site, 'team/elsewhere', layer.digest)

    expect(response.statusCode).toBe(404)
    response.resume()
    site.line.release()
  })

  it('serves a herd with one fetch; those that leave change nothing for the rest', async () => {
    const image = await site.publish('team/herd:1.0', {
      index: false,
      layers: 2,
      layerBytes: 12 * MIB,
    })
    const layer = largestOf(image)
    site.line.hold(8 * MIB)
    const manifests = await Promise.all(
      Array.from({ length: 32 }, () => index(site, 'team/herd', '1.0')),
    )
    expect(new Set(manifests.map(({ status }) => status))).toEqual(new Set([200]))
    const clients = await Promise.all(
      Array.from({ length: 32 }, () => openBlob(site, 'team/herd', layer.digest)),
    )
    const staying = clients.slice(10).map(({ response }) => reading(response))
    for (const { asking } of clients.slice(0, 10)) asking.destroy()

    site.line.release()

    const digests = await Promise.all(staying.map(({ whole }) => whole))
    expect(new Set(digests)).toEqual(new Set([layer.digest]))
    for (const { digest } of image.blobs) expect(await blobGets(site, digest)).toHaveLength(1)
    expect(
      await loggedRequests(site.upstream, {
        method: 'GET',
        path: /^\/v2\/team\/herd\/manifests\/(?!sha256-)/,
      }),
    ).toHaveLength(1)
    await eventually(
      async () => (await digestAt(site.local, 'team/herd:1.0')) === image.top.digest,
      { describe: 'the copy to complete' },
    )
  })

  it('lets clients finish when the worker that they follow is killed', async () => {
    const image = await site.publish('team/killed:1.0', {
      index: false,
      layers: 1,
      layerBytes: 16 * MIB,
    })
    const layer = largestOf(image)
    site.line.hold(4 * MIB)
    await index(site, 'team/killed', '1.0')
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => openBlob(site, 'team/killed', layer.digest)),
    )
    const readers = clients.map(({ response }) => reading(response))
    await eventually(() => readers.every(({ bytes }) => bytes() > 2 * MIB), {
      describe: 'all clients to be in the middle of the blob',
    })
    const spare = site.startWorker()
    await Promise.all(site.workers.map((worker) => worker.kill9()))

    site.line.release()
    await spare

    const digests = await Promise.all(readers.map(({ whole }) => whole))
    expect(new Set(digests)).toEqual(new Set([layer.digest]))
  })
})
