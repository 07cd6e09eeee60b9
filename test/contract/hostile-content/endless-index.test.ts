import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import {
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, failureOf, manifestOf, open } from '../contract-content.ts'
import { copyImage } from '../../support/images/copy-image.ts'

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

function indexOf(...digests: readonly string[]) {
  const manifests = digests.map((digest) => ({ mediaType: OCI_INDEX, digest, size: 100 }))
  return manifestOf({ manifests }, OCI_INDEX)
}

/** Sends these bytes whatever is asked for. */
function sendAlways(bytes: Buffer, contentType: string): void {
  upstream.script({ path: /\/manifests\// }, ({ request, response }) => {
    response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.length })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  })
}

function expectNothingLocal(): void {
  expect(local.requests.filter(({ method }) => method === 'PUT')).toEqual([])
}

describe('an index that contains itself', () => {
  const DIGEST = digestOf(Buffer.from('what only it knows'))

  it('is found out by the digest of its bytes', async () => {
    sendAlways(indexOf(DIGEST).bytes, OCI_INDEX)

    const failure = await failureOf(copyImage({ from, to }))

    expect(failure).toMatchObject({ disposition: 'permanent', registry: 'hq' })
    expect(String(failure)).toContain(`expected the manifest ${DIGEST}, got`)
    expectNothingLocal()
  })

  it.each([DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED])(
    'is found out also when it comes as %s, whose digests are of other bytes',
    async (contentType) => {
      sendAlways(indexOf(DIGEST).bytes, contentType)

      const outcome = await copyImage({ from, to })

      expect(outcome).toMatchObject({ kind: 'refused' })
      expect(JSON.stringify(outcome)).toMatch(/schema 1/)
      expectNothingLocal()
    },
    5_000,
  )
})

describe('an index without an end', () => {
  it('that nests more than eight deep is refused', async () => {
    let inner = indexOf()
    for (let depth = 0; depth <= 8; depth += 1) {
      upstream.addManifest('team/app', 'inner', inner.bytes, OCI_INDEX)
      inner = indexOf(inner.digest)
    }
    upstream.addManifest('team/app', '1.0', inner.bytes, OCI_INDEX)

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*nested more than 8 deep/)
    expectNothingLocal()
  })

  it('that nests eight deep is copied', async () => {
    let inner = indexOf()
    for (let depth = 0; depth < 8; depth += 1) {
      upstream.addManifest('team/app', 'inner', inner.bytes, OCI_INDEX)
      inner = indexOf(inner.digest)
    }
    upstream.addManifest('team/app', '1.0', inner.bytes, OCI_INDEX)

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'copied', manifests: 9 })
  })

  it('of more than 2,000 manifests is refused', async () => {
    const digests = Array.from({ length: 2_001 }, (_, n) => digestOf(Buffer.from(`child ${n}`)))
    upstream.addManifest('team/app', '1.0', indexOf(...digests).bytes, OCI_INDEX)

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*more than 2000 manifests/)
    expectNothingLocal()
  })

  it('whose manifests are larger than 64 MiB together is refused', async () => {
    const children = Array.from({ length: 17 }, (_, n) =>
      Buffer.from(JSON.stringify({ mediaType: OCI_INDEX, manifests: [], n }).padEnd(4_194_304)),
    )
    for (const child of children) upstream.addManifest('team/app', 'child', child, OCI_INDEX)
    // Told smaller than they are.
    upstream.addManifest(
      'team/app',
      '1.0',
      indexOf(...children.map((child) => digestOf(child))).bytes,
      OCI_INDEX,
    )

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*larger than 64 MiB together/)
  })

  it('with a child of 5 MiB is refused', async () => {
    const child = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }).padEnd(5_242_880))
    upstream.addManifest('team/app', 'child', child, OCI_MANIFEST)
    upstream.addManifest('team/app', '1.0', indexOf(digestOf(child)).bytes, OCI_INDEX)

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*larger than 4 MiB/)
    expectNothingLocal()
  })
})
