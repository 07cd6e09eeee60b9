import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Manifest } from '../../../src/oci/manifest.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import {
  configFor,
  manifestOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
} from '../contract-content.ts'

const TAG = reference('1.0')
const BLOBS = /\/blobs\//

let upstream: ScriptedRegistry
let local: TestRegistry
let from: Registry
let to: Registry

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
  to = open(configFor(local.url))
})

afterEach(async () => {
  for (const part of [from, to, upstream, local]) await part[Symbol.asyncDispose]()
})

/** An image like no other. */
function image(): Manifest {
  const [config, layer] = [randomBlob(100), randomBlob(1_000)]
  for (const { bytes } of [config, layer]) upstream.addBlob('team/app', bytes)
  return manifestOf({ config: config.descriptor, layers: [layer.descriptor] })
}

function tag({ bytes, digest }: Manifest): string {
  upstream.addManifest('team/app', TAG, bytes, OCI_MANIFEST)
  return digest
}

async function localDigest(): Promise<string | undefined> {
  return (await to.repository(repository('team/app')).headManifest(TAG, SIGNAL))?.digest
}

describe('a tag that moves while its copy runs', () => {
  it('becomes what it was at the start, and what it moved to with the next job', async () => {
    const [first, second] = [tag(image()), image()]
    upstream.script({ method: 'GET', path: BLOBS, times: 1 }, async ({ serve }) => {
      tag(second)
      await serve()
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', digest: first })
    expect(await localDigest()).toBe(first)

    const next = await copyImage({ from, to }, { trigger: 'push', onlyIfPresent: true })
    expect(next).toMatchObject({ kind: 'copied', digest: second.digest })
    expect(await localDigest()).toBe(second.digest)
  })

  it('becomes what it was looked up to be, though it moved before the manifest was pulled', async () => {
    tag(image())
    await copyImage({ from, to })
    const [first, second] = [tag(image()), image()]
    upstream.script({ method: 'HEAD', times: 1 }, async ({ serve }) => {
      await serve()
      tag(second)
    })

    const outcome = await copyImage({ from, to }, { trigger: 'push', onlyIfPresent: true })

    expect(outcome).toMatchObject({ kind: 'copied', digest: first })
    expect(await localDigest()).toBe(first)
  })
})

describe('an upstream that answers 404 to the HEAD of every blob', () => {
  it('is never asked by one', async () => {
    const digest = tag(image())
    upstream.script({ method: 'HEAD', path: BLOBS }, ({ response }) => {
      refuse(response, 404, 'BLOB_UNKNOWN')
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', digest })

    const heads = upstream.requests.filter(({ method }) => method === 'HEAD')
    expect(heads.filter(({ path }) => path.includes('/blobs/'))).toEqual([])
  })
})
