import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, failureOf, manifestOf, open } from '../contract-content.ts'

const image = manifestOf({ layers: [] })
const other = manifestOf({ layers: [], annotations: { which: 'other' } })
const third = manifestOf({ layers: [], annotations: { which: 'third' } })

let upstream: ScriptedRegistry
let local: ScriptedRegistry
let from: Registry
let to: Registry

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startScriptedRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
  to = open(configFor(local.url))
  upstream.addManifest('team/app', '1.0', image.bytes, OCI_MANIFEST)
})

afterEach(async () => {
  for (const part of [from, to, upstream, local]) await part[Symbol.asyncDispose]()
})

/** Answers so many requests with these bytes, under the image's digest. */
function send(bytes: Buffer, times: number, path = /manifests\/1\.0$/): void {
  upstream.script({ path, times }, ({ request, response }) => {
    const headers = {
      'content-type': OCI_MANIFEST,
      'docker-content-digest': image.digest,
      'content-length': bytes.length,
    }
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : bytes)
  })
}

const PUSH = { trigger: 'push', announcedDigest: image.digest } as const

describe('a manifest that is not what its digest says', () => {
  it.each([
    ['by its tag', {}, /manifests\/1\.0$/],
    ['by the digest that its tag is said to have', PUSH, /manifests\//],
  ])('twice in the same way, %s, fails for good and says why', async (_, changes, path) => {
    send(other.bytes, 99, path)

    const failure = await failureOf(copyImage({ from, to }, changes))

    expect(failure).toMatchObject({ disposition: 'permanent', registry: 'hq', side: 'upstream' })
    const said = `expected the manifest ${image.digest}, got ${other.digest}, twice. The registry or a proxy`
    expect(String(failure)).toContain(said)
    expect(upstream.requests.filter(({ method }) => method === 'GET')).toHaveLength(2)
    expect(local.requests.filter(({ method }) => method === 'PUT')).toEqual([])
  })

  it('once is read again, and copied', async () => {
    send(other.bytes, 1)

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', digest: image.digest })
  })

  it('in another way each time may be better later', async () => {
    send(other.bytes, 2)
    send(third.bytes, 1)

    const failure = await failureOf(copyImage({ from, to }))

    expect(failure).toMatchObject({ disposition: 'transient' })
  })
})

it('a HEAD that names another digest than it was asked for is not believed', async () => {
  upstream.script({ method: 'HEAD', path: /manifests\/sha256:/ }, ({ response }) => {
    const headers = { 'content-type': OCI_MANIFEST, 'docker-content-digest': other.digest }
    response.writeHead(200, headers).end()
  })
  const changes = {
    reference: image.digest,
    trigger: 'push',
    announcedDigest: image.digest,
  } as const

  expect(await copyImage({ from, to }, changes)).toMatchObject({ digest: image.digest })
})
