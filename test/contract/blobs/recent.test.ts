import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Reference } from '../../../src/oci/reference.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { bytesOf, configFor, manifestOf, open, randomBlob, SIGNAL } from '../contract-content.ts'

let upstream: ScriptedRegistry
let local: TestRegistry
let between: { from: Registry; to: Registry; flights: BlobFlights }

beforeEach(async () => {
  ;[upstream, local] = await Promise.all([startScriptedRegistry(), startRegistry()])
  const from = open(configFor(upstream.url, { id: 'hq' }))
  between = { from, to: open(configFor(local.url)), flights: new BlobFlights() }
})

afterEach(async () => {
  for (const part of [between.from, between.to, upstream, local]) await part[Symbol.asyncDispose]()
})

/** An image with that layer under the tag. */
function publish(tag: string, layer = randomBlob(1_000)) {
  const config = randomBlob(100)
  for (const { bytes } of [config, layer]) upstream.addBlob('team/app', bytes)
  const image = manifestOf({ config: config.descriptor, layers: [layer.descriptor] })
  upstream.addManifest('team/app', tag, image.bytes, OCI_MANIFEST)
  return { layer, reference: tag as Reference }
}

it('a layer that a process has just brought is not looked up for the next tag', async () => {
  const { layer, reference } = publish('1.0')
  await copyImage(between, { reference })
  const next = publish('1.1', layer)

  const outcome = await copyImage(between, { reference: next.reference })

  expect(outcome).toMatchObject({ kind: 'copied', blobs: { copied: 1, skipped: 1 } })
  const asked = local.requests({
    path: new RegExp(layer.descriptor.digest.slice('sha256:'.length)),
  })
  expect(asked.map(({ method }) => method)).toEqual(['POST', 'PUT'])
})

it('a layer that was lost since then is brought again', async () => {
  const { layer, reference } = publish('1.0')
  await copyImage(between, { reference })
  const [algorithm = '', hex = ''] = layer.descriptor.digest.split(':')
  const registryRoot = join(local.storageFolder, 'docker/registry/v2')
  await rm(join(registryRoot, 'repositories/team/app/_layers', algorithm, hex), { recursive: true })
  const next = publish('1.1', layer)

  const outcome = await copyImage(between, { reference: next.reference })

  expect(outcome).toMatchObject({ kind: 'copied' })
  const target = between.to.repository('team/app' as Parameters<Registry['repository']>[0])
  const body = await target.getBlob(layer.descriptor, SIGNAL)
  expect((await bytesOf(body)).equals(layer.bytes)).toBe(true)
})
