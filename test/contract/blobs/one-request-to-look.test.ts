import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { goProgram } from '../../support/process/go-program.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, manifestOf, open, randomBlob, SIGNAL, streamOf } from '../contract-content.ts'

const VERSIONS = [
  ['the distribution that is installed', undefined],
  ['distribution 3', goProgram('distribution3')],
] as const

let upstream: ScriptedRegistry
let from: Registry

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
})

afterEach(async () => {
  for (const part of [from, upstream]) await part[Symbol.asyncDispose]()
})

function publish(tag = '1.0') {
  const [config, layer] = [randomBlob(100), randomBlob(1_000)]
  for (const { bytes } of [config, layer]) upstream.addBlob('team/app', bytes)
  const image = manifestOf({ config: config.descriptor, layers: [layer.descriptor] })
  upstream.addManifest('team/app', tag, image.bytes, OCI_MANIFEST)
  return { config, layer }
}

function blobRequests(local: TestRegistry) {
  return local.accessLog().flatMap(({ method, path }) => (path.includes('/blobs/') ? [method] : []))
}

describe.each(VERSIONS)('a layer that nobody has seen, at %s', (name, program) => {
  const isMissing = program === undefined && name.endsWith('3')

  it.skipIf(isMissing)('is sent in two requests, and looked for by the first', async () => {
    await using local = await startRegistry({ program })
    await using to = open(configFor(local.url))
    publish()

    const outcome = await copyImage({ from, to })

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { copied: 2, skipped: 0 } })
    expect(blobRequests(local).sort()).toEqual(['POST', 'POST', 'PUT', 'PUT'])
  })

  it.skipIf(isMissing)('is asked of no upstream when it is there after all', async () => {
    await using local = await startRegistry({ program })
    await using to = open(configFor(local.url))
    const { layer } = publish()
    const { descriptor, bytes } = layer
    const target = to.repository('team/app' as Repository)
    const body = () => Promise.resolve(streamOf(bytes))
    await target.bringBlob(descriptor, body, SIGNAL)

    const outcome = await copyImage({ from, to })

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { copied: 1, skipped: 1 } })
    const asked = upstream.requests.filter(({ path }) => path.includes(descriptor.digest))
    expect(asked).toEqual([])
  })
})

it('at a registry that mounts nothing, is looked for in a request of its own', async () => {
  await using local = await startScriptedRegistry()
  await using to = open(configFor(local.url))
  local.script({ method: 'POST', path: /mount=/ }, ({ response }) => response.writeHead(405).end())
  const { layer } = publish()

  await copyImage({ from, to })
  expect(local.hasBlob('team/app', layer.descriptor.digest)).toBe(true)
  const before = local.requests.length
  publish('1.1')
  await copyImage({ from, to }, { reference: '1.1' })

  const again = local.requests.slice(before).map(({ method, path }) => `${method} ${path}`)
  expect(
    again.filter((request) => request.startsWith('HEAD') && request.includes('blobs')),
  ).toHaveLength(2)
  expect(again.filter((request) => request.includes('mount='))).toEqual([])
})
