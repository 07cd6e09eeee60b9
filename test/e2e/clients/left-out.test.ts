import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { MANIFEST_ACCEPT, OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { buffer } from 'node:stream/consumers'
import { eventually } from '../../support/eventually.ts'
import {
  addSmallImage,
  type ScriptedSite,
  type SmallImage,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'

const AMD64 = { os: 'linux', architecture: 'amd64' }
const ARM64 = { os: 'linux', architecture: 'arm64' }
const MODES = ['stream', 'hold']

describe.each(MODES)('of an image that is here without some of its platforms, with %s', (mode) => {
  let site: ScriptedSite

  beforeAll(async () => {
    site = await startScriptedSite(
      `  - { name: team, upstream: hq, policy: none, onMiss: ${mode}, platforms: [linux/amd64] }`,
    )
    // A registry that takes an index whose images are not all there.
    site.local.script(
      { method: 'PUT', path: /\/manifests\// },
      async ({ request, response, serve }) => {
        if (request.headers['content-type'] !== OCI_INDEX) return serve()
        const [, repository = '', tag = ''] =
          /v2\/(.+)\/manifests\/(.+)$/.exec(request.url ?? '') ?? []
        site.local.addManifest(repository, tag, await buffer(request), OCI_INDEX)
        response.writeHead(201).end()
        return undefined
      },
    )
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  async function ask(path: string, method = 'GET') {
    const headers = { accept: `${MANIFEST_ACCEPT}, */*` }
    return await fetch(`${site.gateway}/v2/team/${path}`, { method, headers })
  }

  /** An index of two images, as clients find it under the tag. */
  function publish(name: string) {
    const here = addSmallImage(site.upstream, `team/${name}`, 'amd64')
    const there = addSmallImage(site.upstream, `team/${name}`, 'arm64')
    const entry = ({ child }: SmallImage, platform: object) => ({
      ...{ mediaType: OCI_MANIFEST, digest: child, size: 500, platform },
    })
    const manifests = [entry(here, AMD64), entry(there, ARM64)]
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
    site.upstream.addManifest(`team/${name}`, '1.0', index, OCI_INDEX)
    return { here, there, index: digestOf(index) }
  }

  async function pull(name: string) {
    const image = publish(name)
    expect((await ask(`${name}/manifests/1.0`)).status).toBe(200)
    await eventually(
      async () => (await fetch(`${site.local.url}/v2/team/${name}/manifests/1.0`)).ok,
      { describe: 'the index to be in the local registry' },
    )
    return image
  }

  const has = async (name: string, manifest: string) =>
    (await fetch(`${site.local.url}/v2/team/${name}/manifests/${manifest}`)).ok

  it('the manifests are read from upstream, and their images stay there', async () => {
    const { here, there } = await pull('read')

    for (const { child } of [here, there]) {
      const answer = await ask(`read/manifests/${child}`)
      expect(answer.status).toBe(200)
      expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(child)
    }

    const { stdout } = await site.pullsync.run(['jobs', 'list', '--json'])
    expect(JSON.parse(stdout)).toHaveLength(1)
    expect(await has('read', here.child)).toBe(true)
    expect(await has('read', there.child)).toBe(false)
  })

  it('one that is pulled comes whole with its first blob', async () => {
    const { there } = await pull('pulled')

    await ask(`pulled/manifests/${there.child}`)
    const layer = await ask(`pulled/blobs/${there.layer}`)

    expect(layer.status).toBe(200)
    expect(digestOf(Buffer.from(await layer.arrayBuffer()))).toBe(there.layer)
    await eventually(() => has('pulled', there.child), { describe: 'its manifest to be here' })
  })

  it('a layer of one can be had without its manifest, after a HEAD of the tag', async () => {
    const { here, there, index } = publish('known')
    const head = await ask('known/manifests/1.0', 'HEAD')
    expect(head.headers.get('docker-content-digest')).toBe(index)

    expect((await ask(`known/blobs/${there.layer}`)).status).toBe(200)

    await eventually(() => has('known', there.child), { describe: 'its manifest to be here' })
    expect(await has('known', here.child)).toBe(false)
  })
})
