import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MANIFEST_ACCEPT, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { refuse } from '../../support/registry/scripted-registry.ts'
import {
  addSmallImage,
  type ScriptedSite,
  type SmallImage,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'

const ANY = `${MANIFEST_ACCEPT}, */*`

describe('HEAD of a blob that is on its way', () => {
  let site: ScriptedSite
  let release: () => void = () => undefined

  beforeAll(async () => {
    site = await startScriptedSite('  - { name: team, upstream: hq, policy: none }')
  })

  afterAll(async () => {
    release()
    await site[Symbol.asyncDispose]()
  })

  /** Pulls its manifests as one client; upstream keeps its layer back until `release`. */
  async function pulling(repository: string, client: string): Promise<SmallImage> {
    const image = addSmallImage(site.upstream, repository, '1.0')
    const released = new Promise<void>((resolve) => (release = resolve))
    site.upstream.script({ method: 'GET', path: new RegExp(image.layer) }, async ({ serve }) => {
      await released
      await serve()
    })
    for (const reference of ['1.0', image.child]) {
      const answer = await ask(`${repository}/manifests/${reference}`, { client })
      expect(answer.status).toBe(200)
      await answer.arrayBuffer()
    }
    return image
  }

  async function ask(path: string, { client, ...init }: RequestInit & { client: string }) {
    const headers = { accept: ANY, 'user-agent': client, ...(init.headers as object) }
    return await fetch(`${site.gateway}/v2/${path}`, { ...init, headers })
  }

  const looks = (path: string) =>
    site.local.requests.filter((seen) => seen.method === 'HEAD' && seen.path.endsWith(path)).length

  it('answers a client that pulls the image as its GET would be answered', async () => {
    const { layer, layerBytes } = await pulling('team/pulled', 'cache/1')

    const head = await ask(`team/pulled/blobs/${layer}`, { client: 'cache/1', method: 'HEAD' })

    expect(head.status).toBe(200)
    expect(head.headers.get('content-length')).toBe(String(layerBytes))
    expect(head.headers.get('docker-content-digest')).toBe(layer)
    expect(site.local.hasBlob('team/pulled', layer)).toBe(false)
    release()
  })

  it.each([
    ['that has pulled nothing', 'pusher/1', false],
    ['that has begun to upload', 'cache/2', true],
  ])('lets a client wait until it is here %s', async (_, client, uploads) => {
    const repository = `team/waited-by-${client.replace('/', '-')}`
    const { layer } = await pulling(repository, 'cache/2')
    if (uploads) await ask(`${repository}/blobs/uploads/`, { client, method: 'POST' })

    const path = `${repository}/blobs/${layer}`
    let answered = false
    const head = ask(path, { client, method: 'HEAD' }).finally(() => (answered = true))
    await eventually(() => looks(path) > 2, { describe: 'the gateway to look for it again' })
    expect(answered).toBe(false)
    release()

    expect((await head).status).toBe(200)
    expect(site.local.hasBlob(repository, layer)).toBe(true)
  })

  it('looks once more where the registry fails at the moment in which it gets it', async () => {
    const repository = 'team/being-linked'
    const { layer } = await pulling(repository, 'cache/4')
    let failed = 0
    const looked = { method: 'HEAD', path: new RegExp(layer) }
    site.local.script(looked, async ({ response, serve }) => {
      if (site.local.hasBlob(repository, layer) && failed === 0) {
        failed += 1
        refuse(response, 500, 'UNKNOWN')
      } else await serve()
    })

    const path = `${repository}/blobs/${layer}`
    const head = ask(path, { client: 'pusher/2', method: 'HEAD' })
    await eventually(() => looks(path) > 1, { describe: 'the gateway to look for it again' })
    release()

    expect((await head).status).toBe(200)
    expect(failed).toBe(1)
  })

  it('keeps its word to a client that goes on to push what it was told of', async () => {
    const { child, layer, config } = await pulling('team/retagged', 'tool/1')
    for (const blob of [config, layer]) {
      const head = await ask(`team/retagged/blobs/${blob}`, { client: 'tool/1', method: 'HEAD' })
      expect(head.status).toBe(200)
    }
    const manifest = await ask(`team/retagged/manifests/${child}`, { client: 'tool/1' })

    const before = looks(layer)
    const push = ask('team/retagged/manifests/mine', {
      ...{ client: 'tool/1', method: 'PUT', body: await manifest.arrayBuffer() },
      headers: { 'content-type': OCI_MANIFEST },
    })
    await eventually(() => looks(layer) > before + 2, { describe: 'the push to wait' })
    release()

    expect((await push).status).toBe(201)
  })

  it.each([401, 403, 429])('says %i to whom the registry says so', async (status) => {
    const repository = `team/closed-${status}`
    const { layer } = await pulling(repository, 'cache/3')
    site.local.script({ path: new RegExp(layer) }, async ({ request, response, serve }) => {
      if (request.headers['user-agent'] === 'cache/3') refuse(response, status, 'REFUSED')
      else await serve()
    })

    const told = await ask(`${repository}/blobs/${layer}`, { client: 'cache/3', method: 'HEAD' })

    expect(told.status).toBe(status)
    release()
  })
})
