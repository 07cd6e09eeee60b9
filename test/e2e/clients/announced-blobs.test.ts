import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Manifest } from '../../../src/oci/manifest.ts'
import { MANIFEST_ACCEPT, OCI_INDEX } from '../../../src/oci/media-types.ts'
import { manifestOf } from '../../contract/contract-content.ts'
import { eventually } from '../../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import {
  addSmallImage,
  type ScriptedSite,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'

const PROJECTS = `
  - { name: team, upstream: hq, policy: none }
  - { name: held, upstream: hq, policy: none, onMiss: hold, holdFor: 10s }
  - { name: checked, upstream: hq, policy: none, onHit: check, revalidateAfter: 0s }`

describe('a client that was told of an image by HEAD and knows its manifest from before', () => {
  let site: ScriptedSite

  beforeAll(async () => {
    site = await startScriptedSite(PROJECTS)
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  async function ask(path: string, method = 'GET') {
    const headers = { accept: `${MANIFEST_ACCEPT}, */*` }
    return await fetch(`${site.gateway}/v2/${path}`, { method, headers })
  }

  function asked(path: RegExp, method = 'GET') {
    return site.upstream.requests.filter((seen) => seen.method === method && path.test(seen.path))
  }

  it.each(['team', 'held'])(
    'gets a layer that it goes on to, and with that the image comes (%s)',
    async (project) => {
      const repository = `${project}/built`
      const image = addSmallImage(site.upstream, repository, '1.0')

      const head = await ask(`${repository}/manifests/1.0`, 'HEAD')
      expect(head.headers.get('docker-content-digest')).toBe(image.index)
      const layer = await ask(`${repository}/blobs/${image.layer}`)

      expect(layer.status).toBe(200)
      expect(digestOf(Buffer.from(await layer.arrayBuffer()))).toBe(image.layer)
      await eventually(
        async () => (await fetch(`${site.local.url}/v2/${repository}/manifests/1.0`)).ok,
        { describe: 'the tag to be in the local registry' },
      )
      // Beside the byte that shows that upstream has it.
      const fetches = asked(new RegExp(image.layer)).map(({ headers }) => headers.range)
      expect(fetches).toEqual(['bytes=0-0', undefined])
    },
  )

  it('gets a layer of the new image of a tag that has moved', async () => {
    addSmallImage(site.local, 'checked/moved', '1.0', 50)
    const image = addSmallImage(site.upstream, 'checked/moved', '1.0')

    const head = await ask('checked/moved/manifests/1.0', 'HEAD')
    expect(head.headers.get('docker-content-digest')).toBe(image.index)

    expect((await ask(`checked/moved/blobs/${image.layer}`)).status).toBe(200)
  })

  it('gets its last bytes, by range, the same way', async () => {
    const image = addSmallImage(site.upstream, 'team/tail', '1.0')
    await ask('team/tail/manifests/1.0', 'HEAD')

    const tail = await fetch(`${site.gateway}/v2/team/tail/blobs/${image.layer}`, {
      headers: { range: 'bytes=-51' },
    })

    expect(tail.status).toBe(206)
    expect((await tail.arrayBuffer()).byteLength).toBe(51)
  })

  it('gets the content of a signature of which it was told by a list of referrers, and of what is signed', async () => {
    const subject = addSmallImage(site.upstream, 'team/signed', '1.0')
    const signature = addSmallImage(site.upstream, 'team/signed', 'signature')
    const list = (...manifests: readonly object[]) => {
      const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
      return ({ response }: Turn) =>
        response.writeHead(200, { 'content-type': OCI_INDEX }).end(body)
    }
    const entry = { mediaType: OCI_INDEX, digest: signature.index, size: 9 }
    site.upstream.script({ path: /signed\/referrers\// }, list(entry))
    site.local.script({ path: /signed\/referrers\// }, list())
    await ask(`team/signed/referrers/${subject.index}`)

    for (const { layer } of [signature, subject]) {
      expect((await ask(`team/signed/blobs/${layer}`)).status).toBe(200)
    }
  })

  it('gets nothing that no image names of which it was told, at a bounded cost', async () => {
    const told = addSmallImage(site.upstream, 'team/named', '1.0')
    const other = addSmallImage(site.upstream, 'team/named', '2.0', 100)
    await ask('team/named/manifests/1.0', 'HEAD')

    for (let times = 0; times < 3; times += 1) {
      expect((await ask(`team/named/blobs/${other.layer}`)).status).toBe(404)
    }

    expect(asked(new RegExp(told.index))).toHaveLength(1)
    expect(asked(new RegExp(told.child))).toHaveLength(1)
    // Of that one, a byte.
    const blobs = asked(/team\/named\/blobs/)
    expect(blobs.map(({ headers }) => headers.range)).toEqual(['bytes=0-0'])
  })

  it('and asks for what upstream has not, costs it no manifest', async () => {
    addWideImage(site.upstream, 'team/none', '1.0')
    await ask('team/none/manifests/1.0', 'HEAD')

    for (const text of ['one', 'other', 'one']) {
      const path = `team/none/blobs/${digestOf(Buffer.from(`${text} that is nowhere`))}`
      expect((await ask(path)).status).toBe(404)
    }

    expect(asked(/none\/manifests/)).toEqual([])
    expect(asked(/none\/blobs/)).toHaveLength(2)
  })

  it.each([
    ['linux/arm64', ['linux/amd64', 'linux/arm64']],
    ['linux/s390x', PLATFORMS],
  ])('gets its layer of %s, which is looked for where it likely is', async (platform, looked) => {
    const repository = `team/wide-${platform.replace('/', '-')}`
    const image = addWideImage(site.upstream, repository, '1.0')
    await ask(`${repository}/manifests/1.0`, 'HEAD')

    const { status } = await ask(`${repository}/blobs/${image.layerOf(platform)}`)

    expect(status).toBe(200)
    const all = asked(new RegExp(`${repository}/manifests/`)).map(({ path }) => path)
    const [, ...rest] = all.map((path) => path.slice(path.indexOf('sha256:')))
    // With the index it begins again: that is the copy.
    const found = rest.slice(0, rest.indexOf(image.index))
    expect(found.map((digest) => image.platformOf(digest)).toSorted()).toEqual(looked.toSorted())
  })

  it('gets nothing of an image of which nobody was told', async () => {
    const image = addSmallImage(site.upstream, 'team/untold', '1.0')

    expect((await ask(`team/untold/blobs/${image.layer}`)).status).toBe(404)
    expect(asked(/team\/untold/)).toEqual([])
  })

  it.each([401, 403, 429, 500, 503])(
    'gets nothing where the registry says %i to it',
    async (status) => {
      const repository = `team/closed-${status}`
      const image = addSmallImage(site.upstream, repository, '1.0')
      await ask(`${repository}/manifests/1.0`, 'HEAD')
      site.local.script({ path: new RegExp(repository) }, ({ response }) => {
        refuse(response, status, 'REFUSED')
      })

      expect((await ask(`${repository}/blobs/${image.layer}`)).status).toBe(status)
      expect(asked(new RegExp(image.index))).toEqual([])
    },
  )
})

const PLATFORMS = ['linux/386', 'linux/arm64', 'linux/ppc64le', 'linux/s390x', 'linux/amd64']

/** As BuildKit builds it: each platform's image has an attestation beside it. */
function addWideImage(registry: ScriptedRegistry, repository: string, tag: string) {
  const layers = new Map(PLATFORMS.map((name) => [name, Buffer.from(`${repository} ${name}`)]))
  const images = new Map(
    [...layers].map(([name, layer]) => [name, manifestOf({ layers: [addBlob(layer)] })]),
  )
  const children = [...images].flatMap(([name, image]) => {
    const [os, architecture] = name.split('/')
    const attestation = manifestOf({ layers: [addBlob(Buffer.from(`proof of ${name}`))] })
    const annotations = { 'vnd.docker.reference.digest': image.digest }
    const unknown = { os: 'unknown', architecture: 'unknown' }
    return [
      { ...add(image), platform: { os, architecture } },
      { ...add(attestation), platform: unknown, annotations },
    ]
  })
  const index = manifestOf({ manifests: children }, OCI_INDEX)
  registry.addManifest(repository, tag, index.bytes, OCI_INDEX)
  return {
    index: index.digest,
    layerOf: (platform: string) => digestOf(layers.get(platform) ?? Buffer.alloc(0)),
    platformOf: (digest: string) =>
      [...images].find(([, image]) => image.digest === digest)?.[0] ?? digest,
  }

  function addBlob(bytes: Buffer) {
    registry.addBlob(repository, bytes)
    return { mediaType: 'application/x', digest: digestOf(bytes), size: bytes.length }
  }
  function add({ digest, mediaType, bytes }: Manifest) {
    registry.addManifest(repository, digest, bytes, mediaType)
    return { mediaType, digest, size: bytes.length }
  }
}
