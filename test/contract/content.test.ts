import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1_SIGNED,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts'
import type { Registry } from '../../src/registry/registry.ts'
import type { RegistryRepository } from '../../src/registry/repository.ts'
import { startRegistry } from '../support/registry/docker-registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../support/registry/scripted-registry.ts'
import { bytesOf, configFor, open, reference, repository, SIGNAL } from './contract-content.ts'
import { copyImage } from '../support/images/copy-image.ts'

const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'
const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
const FOREIGN_LAYER = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
const LARGEST_MANIFEST = 4 * 1024 * 1024

interface Put {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

/** What an upstream holds, to be found again byte by byte in the local registry. */
class Upstream {
  readonly registry: ScriptedRegistry
  readonly blobs: (Put & { readonly bytes: Buffer })[] = []
  readonly manifests: (Put & { readonly bytes: Buffer })[] = []

  constructor(registry: ScriptedRegistry) {
    this.registry = registry
  }

  blob(mediaType: string, bytes = randomBytes(1_000), algorithm?: 'sha512'): Put {
    const digest = digestOf(bytes, algorithm)
    this.registry.addBlob('team/app', bytes, digest)
    const put = { mediaType, digest, size: bytes.length }
    this.blobs.push({ ...put, bytes })
    return put
  }

  /** A manifest and, for the last one told, the tag. */
  manifest(mediaType: string, json: object): Put {
    return this.bytes(mediaType, Buffer.from(JSON.stringify(json, null, 3)))
  }

  bytes(mediaType: string, bytes: Buffer): Put {
    this.registry.addManifest('team/app', '1.0', bytes, mediaType)
    const put = { mediaType, digest: digestOf(bytes), size: bytes.length }
    this.manifests.push({ ...put, bytes })
    return put
  }

  image(more: { readonly config?: object; readonly [name: string]: unknown } = {}, layers?: Put[]) {
    return this.manifest(OCI_MANIFEST, {
      ...{ schemaVersion: 2, config: more.config ?? this.blob(IMAGE_CONFIG) },
      ...{ layers: layers ?? [this.blob(`${LAYER}+gzip`)] },
      ...more,
    })
  }
}

/** Each puts something under the tag. */
const CONTENT: Readonly<Record<string, (upstream: Upstream) => unknown>> = {
  'a manifest of image-spec 1.0, which does not say what it is': (upstream) => upstream.image(),
  'a manifest of image-spec 1.1': (upstream) => upstream.image({ mediaType: OCI_MANIFEST }),
  'an index of image-spec 1.0': (upstream) => {
    const manifests = [upstream.image(), upstream.image()]
    upstream.manifest(OCI_INDEX, { schemaVersion: 2, manifests })
  },
  'an index of image-spec 1.1, with an artifactType': (upstream) => {
    const manifests = [upstream.image({ mediaType: OCI_MANIFEST })]
    const more = { mediaType: OCI_INDEX, artifactType: 'application/x', annotations: { a: 'b' } }
    upstream.manifest(OCI_INDEX, { schemaVersion: 2, ...more, manifests })
  },
  'a nested index': (upstream) => {
    const inner = upstream.manifest(OCI_INDEX, { schemaVersion: 2, manifests: [upstream.image()] })
    upstream.manifest(OCI_INDEX, { schemaVersion: 2, manifests: [upstream.image(), inner] })
  },
  'an index without children': (upstream) =>
    upstream.manifest(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }),
  'Docker schema 2': (upstream) => dockerImage(upstream),
  'a Docker manifest list': (upstream) => {
    const platform = { os: 'linux', architecture: 'amd64' }
    const manifests = [{ ...dockerImage(upstream), platform }]
    upstream.manifest(DOCKER_LIST, { schemaVersion: 2, mediaType: DOCKER_LIST, manifests })
  },
  'a Helm chart': (upstream) => {
    const config = upstream.blob('application/vnd.cncf.helm.config.v1+json')
    const layers = ['chart.content.v1.tar+gzip', 'chart.provenance.v1.prov'].map((name) =>
      upstream.blob(`application/vnd.cncf.helm.${name}`),
    )
    upstream.image({ config }, layers)
  },
  'a WASM module': (upstream) => {
    const config = upstream.blob('application/vnd.wasm.config.v0+json')
    upstream.image({ config }, [upstream.blob('application/wasm', Buffer.from('\0asm'))])
  },
  'an artifact of an empty config and an artifactType': (upstream) => {
    const config = upstream.blob('application/vnd.oci.empty.v1+json', Buffer.from('{}'))
    upstream.image({ mediaType: OCI_MANIFEST, artifactType: 'application/x.y', config })
  },
  'layers of zstd, of gzip and uncompressed ones': (upstream) => {
    const layers = ['+zstd', '+gzip', ''].map((packing) => upstream.blob(`${LAYER}${packing}`))
    upstream.image({}, layers)
  },
  'a blob of no bytes': (upstream) => upstream.image({}, [upstream.blob(LAYER, Buffer.alloc(0))]),
  'a layer under a sha512 digest': (upstream) =>
    upstream.image({}, [upstream.blob(LAYER, randomBytes(1_000), 'sha512')]),
  'the same layer twice': (upstream) => {
    const layer = upstream.blob(LAYER)
    upstream.image({}, [layer, layer])
  },
  'a manifest of exactly 4 MiB': (upstream) => {
    const [config, layers] = [upstream.blob(IMAGE_CONFIG), [upstream.blob(LAYER)]]
    const json = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers })
    upstream.bytes(OCI_MANIFEST, Buffer.from(json.padEnd(LARGEST_MANIFEST)))
  },
}

function dockerImage(upstream: Upstream): Put {
  const config = upstream.blob(DOCKER_CONFIG)
  const layers = [upstream.blob(DOCKER_LAYER)]
  const mediaType = DOCKER_MANIFEST
  return upstream.manifest(mediaType, { schemaVersion: 2, mediaType, config, layers })
}

describe.each([
  ['docker-registry', () => startRegistry()],
  ['a scripted registry', () => startScriptedRegistry()],
])('content of any kind, copied to %s', (_, startLocal) => {
  let upstream: Upstream
  let from: Registry
  let to: Registry
  let local: RegistryRepository
  let parts: AsyncDisposable[]

  beforeEach(async () => {
    const [registry, target] = [await startScriptedRegistry(), await startLocal()]
    upstream = new Upstream(registry)
    from = open(configFor(registry.url, { id: 'hq' }))
    to = open(configFor(target.url))
    local = to.repository(repository('team/app'))
    parts = [from, to, registry, target]
  })

  afterEach(async () => {
    for (const part of parts) await part[Symbol.asyncDispose]()
  })

  async function expectAllHere(): Promise<void> {
    for (const blob of upstream.blobs) {
      const body = await bytesOf(await local.getBlob(blob, SIGNAL))
      expect(body.equals(blob.bytes)).toBe(true)
    }
    for (const { digest, bytes } of upstream.manifests) {
      expect((await local.getManifest(digest, SIGNAL))?.bytes.equals(bytes)).toBe(true)
    }
    const tagged = await local.headManifest(reference('1.0'), SIGNAL)
    expect(tagged?.digest).toBe(upstream.manifests.at(-1)?.digest)
  }

  it.each(Object.entries(CONTENT))('%s arrives byte by byte, by tag', async (_name, put) => {
    put(upstream)

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })

    await expectAllHere()
  })

  it('an image arrives by digest, and gets no tag', async () => {
    upstream.image()
    const { digest } = upstream.image()

    const outcome = await copyImage({ from, to }, { reference: digest })

    expect(outcome).toMatchObject({ kind: 'copied', digest })
    expect(await local.headManifest(digest, SIGNAL)).toMatchObject({ digest })
    expect(await local.headManifest(reference('1.0'), SIGNAL)).toBeUndefined()
  })

  it('inline data is pushed from the manifest, and upstream not asked for it', async () => {
    const bytes = Buffer.from('{}')
    const mediaType = 'application/vnd.oci.empty.v1+json'
    const inline = { mediaType, digest: digestOf(bytes), size: bytes.length }
    upstream.image({ config: { ...inline, data: bytes.toString('base64') } })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied' })

    expect(await bytesOf(await local.getBlob(inline, SIGNAL))).toEqual(bytes)
    const asked = upstream.registry.requests.filter(({ path }) => path.includes(inline.digest))
    expect(asked).toEqual([])
  })

  it('layers that are not to be distributed are left where they are, and counted', async () => {
    const urls = ['https://mcr.example/layer']
    const left = { ...absent('a Windows layer'), mediaType: FOREIGN_LAYER, urls }
    upstream.image({}, [upstream.blob(LAYER), left])

    const outcome = await copyImage({ from, to })

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { copied: 2, nonDistributable: 1 } })
    expect(await local.hasBlob(left.digest, SIGNAL)).toBe(false)
    await expectAllHere()
  })

  it('layers that are not to be distributed and say not where they are come along', async () => {
    upstream.image({}, [upstream.blob(FOREIGN_LAYER)])

    expect(await copyImage({ from, to })).toMatchObject({ blobs: { nonDistributable: 0 } })

    await expectAllHere()
  })

  it('Docker schema 1 ends refused, and why is said', async () => {
    upstream.manifest(DOCKER_SCHEMA1_SIGNED, { schemaVersion: 1, fsLayers: [] })

    const outcome = await copyImage({ from, to })

    expect(outcome).toMatchObject({ kind: 'refused' })
    expect(JSON.stringify(outcome)).toMatch(/Docker schema 1 manifest.*re-push the image/)
    expect(await local.headManifest(reference('1.0'), SIGNAL)).toBeUndefined()
  })
})

it.each([
  ['refused, and says why, where the registry takes sha256 only', () => startRegistry(), false],
  ['copied where the registry takes it', () => startScriptedRegistry(), true],
])('a manifest under a sha512 digest ends %s', async (_, startLocal, taken) => {
  await using registry = await startScriptedRegistry()
  await using target = await startLocal()
  await using from = open(configFor(registry.url, { id: 'hq' }))
  await using to = open(configFor(target.url))
  const upstream = new Upstream(registry)
  upstream.image()
  const { bytes } = upstream.manifests.at(-1) ?? { bytes: Buffer.alloc(0) }
  const digest = digestOf(bytes, 'sha512')
  registry.addManifest('team/app', digest, bytes, OCI_MANIFEST)

  const outcome = await copyImage({ from, to }, { reference: digest })

  if (taken) expect(outcome).toMatchObject({ kind: 'copied', digest })
  else expect(JSON.stringify(outcome)).toMatch(/"refused".*takes no manifest under a sha512 digest/)
})

function absent(content: string) {
  const bytes = Buffer.from(content)
  return { digest: digestOf(bytes), size: bytes.length }
}
