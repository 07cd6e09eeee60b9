import { setImmediate as turnOfEvents } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, manifestOf, open } from '../contract-content.ts'

describe('an image of very many parts', () => {
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

  function publish(count: number) {
    const layers = Array.from({ length: count }, (_, n) => {
      const bytes = Buffer.from(`layer ${n}`)
      local.addBlob('team/app', bytes)
      return { mediaType: 'application/x', digest: digestOf(bytes), size: bytes.length }
    })
    const image = manifestOf({ layers })
    upstream.addManifest('team/app', '1.0', image.bytes, OCI_MANIFEST)
  }

  it('is looked for part by part, some at a time', async () => {
    publish(1_000)
    let [asked, answered, most] = [0, 0, 0]
    local.script({ method: 'HEAD', path: /\/blobs\// }, async ({ serve }) => {
      asked += 1
      most = Math.max(most, asked - answered)
      // Until as many are here as may come at once; whatever else comes, comes in these turns.
      for (let turns = 0; asked < 64 || turns < (answered === 0 ? 100 : 0); turns += 1) {
        await turnOfEvents()
      }
      await serve()
      answered += 1
    })

    const outcome = await copyImage({ from, to })

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { skipped: 1_000 } })
    expect(most).toBeLessThanOrEqual(64)
  })

  it('is refused above 40,000 of them, before any is looked for', async () => {
    const digest = digestOf(Buffer.from('a layer'))
    const layer = { digest, size: 7 }
    // In two manifests: one of this size would be too large.
    const children = [20_000, 20_001].map((count) =>
      manifestOf({ layers: new Array(count).fill(layer) }),
    )
    for (const { bytes, mediaType } of children) {
      upstream.addManifest('team/app', 'child', bytes, mediaType)
    }
    const index = manifestOf({ manifests: children.map(descriptorOf) }, OCI_INDEX)
    upstream.addManifest('team/app', '1.0', index.bytes, OCI_INDEX)
    local.addBlob('team/app', Buffer.from('a layer'))

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*more than 40000 parts/)
    expect(local.requests.filter(({ method }) => method === 'PUT').length).toBeLessThan(2)
  })

  it('is refused with 2,001 children before the first is fetched', async () => {
    const manifests = Array.from({ length: 2_001 }, (_, n) => ({
      mediaType: OCI_MANIFEST,
      digest: digestOf(Buffer.from(`child ${n}`)),
      size: 100,
    }))
    const index = manifestOf({ manifests }, OCI_INDEX)
    upstream.addManifest('team/app', '1.0', index.bytes, OCI_INDEX)

    const outcome = await copyImage({ from, to })

    expect(JSON.stringify(outcome)).toMatch(/"refused".*more than 2000 manifests/)
    expect(upstream.requests).toHaveLength(1)
    expect(local.requests).toHaveLength(1)
  })
})

function descriptorOf({ mediaType, digest, bytes }: ReturnType<typeof manifestOf>) {
  return { mediaType, digest, size: bytes.length }
}
