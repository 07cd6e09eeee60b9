import { buffer } from 'node:stream/consumers'
import { setImmediate as turnOfEvents } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import { eventually } from '../../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, manifestOf, open } from '../contract-content.ts'

const REPOSITORY = 'team/app'
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
const MANIFESTS = /\/manifests\//

let upstream: ScriptedRegistry
let local: ScriptedRegistry
let from: Registry
let to: Registry

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startScriptedRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
  to = open(configFor(local.url))
})

afterEach(async () => {
  for (const part of [from, to, upstream, local]) await part[Symbol.asyncDispose]()
})

function layer(text: string, more: object = {}) {
  const bytes = Buffer.from(text)
  upstream.addBlob(REPOSITORY, bytes)
  return { mediaType: 'application/x', digest: digestOf(bytes), size: bytes.length, ...more }
}

function publish(json: object, { tag, mediaType = OCI_MANIFEST }: Published = {}) {
  const { bytes, digest } = manifestOf(json, mediaType)
  upstream.addManifest(REPOSITORY, tag ?? digest, bytes, mediaType)
  return { mediaType, digest, size: bytes.length }
}

interface Published {
  readonly tag?: string
  readonly mediaType?: string
}

function fetchesOf(digest: string) {
  return upstream.requests.filter(
    ({ method, path }) => method === 'GET' && path.endsWith(`/blobs/${digest}`),
  ).length
}

async function isHere(reference: string): Promise<boolean> {
  const url = `${local.url}/v2/${REPOSITORY}/manifests/${reference}`
  return (await fetch(url, { method: 'HEAD' })).status === 200
}

/** Takes manifests as a good registry does, but for those of which `lacks` says that something is missing. */
function takeUnless(lacks: (json: ManifestJson) => Promise<boolean>, code: string, status = 400) {
  local.script({ method: 'PUT', path: MANIFESTS }, async ({ request, response }) => {
    const bytes = await buffer(request)
    if (await lacks(JSON.parse(bytes.toString()) as ManifestJson)) {
      refuse(response, status, code)
      return
    }
    const reference = (request.url ?? '').split('/').at(-1) ?? ''
    const mediaType = request.headers['content-type'] ?? ''
    const digest = local.addManifest(REPOSITORY, reference, bytes, mediaType)
    response.writeHead(201, { 'docker-content-digest': digest }).end()
  })
}

interface ManifestJson {
  readonly subject?: { readonly digest: string }
  readonly manifests?: readonly { readonly digest: string }[]
}

describe('a registry that demands what a manifest refers to', () => {
  beforeEach(() => {
    // As GitLab.
    takeUnless(
      async ({ subject }) => subject !== undefined && !(await isHere(subject.digest)),
      'MANIFEST_BLOB_UNKNOWN',
    )
  })

  it('gets an attestation after the image beside it, and each layer once', async () => {
    const shared = layer('a layer of the image')
    const image = publish({ layers: [shared] })
    const about = layer('an attestation')
    const attestation = publish({ layers: [about], subject: image })
    upstream.script({ path: new RegExp(shared.digest) }, async ({ serve }) => {
      await eventually(() => local.hasBlob(REPOSITORY, about.digest))
      // Whoever does not wait for the image pushes the attestation in these.
      for (let turns = 0; turns < 500; turns += 1) await turnOfEvents()
      await serve()
    })
    const manifests = [attestation, image]
    publish({ manifests }, { tag: '1.0', mediaType: OCI_INDEX })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', manifests: 3 })
    expect(fetchesOf(shared.digest)).toBe(1)
    const puts = local.requests.filter(({ method }) => method === 'PUT')
    const manifestPuts = puts.filter(({ path }) => path.includes('/manifests/'))
    expect(manifestPuts).toHaveLength(3)
  })

  it('gets what refers to an image after the image, and the tag last', async () => {
    const image = publish({ layers: [layer('a layer')] }, { tag: '1.0' })
    const sbom = publish({ layers: [layer('an SBOM')], subject: image })
    const signature = publish({ layers: [layer('of the SBOM')], subject: sbom })
    const listOf = (entry: object) => ({ manifests: [entry] })
    const fallback = ({ digest }: { digest: string }) => digest.replace(':', '-')
    publish(listOf(sbom), { tag: fallback(image), mediaType: OCI_INDEX })
    publish(listOf(signature), { tag: fallback(sbom), mediaType: OCI_INDEX })

    const outcome = await copyImage({ from, to }, { referrers: true })

    expect(outcome).toMatchObject({ kind: 'copied', referrers: 2 })
    expect(outcome).not.toHaveProperty('referrersFailed')
    expect(await isHere(signature.digest)).toBe(true)
    const puts = local.requests.filter(({ method }) => method === 'PUT')
    expect(puts.at(-1)?.path).toMatch(/manifests\/1\.0$/)
  })
})

describe('a registry that says of a blob that it has it, and has not', () => {
  it('gets that blob again, and none beside it', async () => {
    const [lost, kept] = [layer('lost'), layer('kept')]
    local.addBlob(REPOSITORY, Buffer.from('kept'))
    publish({ layers: [lost, kept] }, { tag: '1.0' })
    local.script({ method: 'HEAD', path: /\/blobs\// }, ({ response }) => {
      response.writeHead(200, { 'content-length': 4 }).end()
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })

    expect(local.hasBlob(REPOSITORY, lost.digest)).toBe(true)
    expect([fetchesOf(lost.digest), fetchesOf(kept.digest)]).toEqual([1, 0])
  })

  it('gets nothing again where it takes the manifest a moment later', async () => {
    // As distribution 2.8, while another copy links the layer once more.
    const linked = layer('linked')
    publish({ layers: [linked] }, { tag: '1.0' })
    local.script({ method: 'PUT', path: MANIFESTS, times: 1 }, ({ response }) => {
      refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN')
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })

    expect(fetchesOf(linked.digest)).toBe(1)
    expect(await isHere('1.0')).toBe(true)
  })

  it('gets everything again where it even gives the bytes of what it then does not know', async () => {
    const lost = layer('lost')
    publish({ layers: [lost] }, { tag: '1.0' })
    local.script({ path: /\/blobs\/sha256/ }, ({ request, response }) => {
      response.writeHead(200, { 'content-length': lost.size })
      response.end(request.method === 'HEAD' ? undefined : 'lost')
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })

    expect(local.hasBlob(REPOSITORY, lost.digest)).toBe(true)
  })
})

describe('a registry that does not know one of the layers that an index names', () => {
  it('gets all of them again, although it gives each', async () => {
    const [lost, kept] = [layer('lost'), layer('kept')]
    publish({ manifests: [lost, kept] }, { tag: 'cache', mediaType: OCI_INDEX })
    takeUnless(() => Promise.resolve(false), 'MANIFEST_BLOB_UNKNOWN')
    local.script({ method: 'PUT', path: MANIFESTS, times: 2 }, ({ response }) => {
      const error = { code: 'MANIFEST_BLOB_UNKNOWN', detail: lost.digest }
      response.writeHead(400).end(JSON.stringify({ errors: [error] }))
    })

    expect(await copyImage({ from, to }, { reference: 'cache' })).toMatchObject({ kind: 'copied' })
    expect([fetchesOf(lost.digest), fetchesOf(kept.digest)]).toEqual([2, 2])
  })
})

describe('a layer that is to be left elsewhere', () => {
  const urls = ['https://layers.example/base']

  it('is copied where it appears as an ordinary one, too, in one manifest', async () => {
    const ordinary = layer('a base')
    const foreign = { ...ordinary, mediaType: FOREIGN, urls }
    publish({ layers: [foreign, ordinary] }, { tag: '1.0' })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })
    expect(local.hasBlob(REPOSITORY, ordinary.digest)).toBe(true)
  })

  it('is copied where another platform has it as an ordinary one', async () => {
    const ordinary = layer('a base')
    const foreign = { ...ordinary, mediaType: FOREIGN, urls }
    const manifests = [publish({ layers: [foreign] }), publish({ layers: [ordinary] })]
    publish({ manifests }, { tag: '1.0', mediaType: OCI_INDEX })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', manifests: 3 })
    expect(local.hasBlob(REPOSITORY, ordinary.digest)).toBe(true)
  })
})

describe('a registry that calls an index wrong for what it lacks', () => {
  function refuseSparse(code: string, status: number): void {
    takeUnless(
      async ({ manifests = [] }) => {
        const here = await Promise.all(manifests.map(({ digest }) => isHere(digest)))
        return here.includes(false)
      },
      code,
      status,
    )
  }

  function publishTwo() {
    const of = (architecture: string) => ({
      ...publish({ layers: [layer(architecture)] }),
      platform: { os: 'linux', architecture },
    })
    publish({ manifests: [of('amd64'), of('arm64')] }, { tag: '1.0', mediaType: OCI_INDEX })
  }

  it.each([
    ['MANIFEST_INVALID', 400],
    ['MANIFEST_BLOB_UNKNOWN', 404],
  ])('gets every platform (%s, %i)', async (code, status) => {
    publishTwo()
    refuseSparse(code, status)

    const outcome = await copyImage({ from, to }, { platforms: ['linux/amd64'] })

    expect(outcome).toMatchObject({ kind: 'copied', manifests: 3, sparseRefused: true })
  })
})
