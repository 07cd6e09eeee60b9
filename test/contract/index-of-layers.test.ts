import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { BlobFlights } from '../../src/replication/graph/blob-flights.ts'
import { copyImage } from '../support/images/copy-image.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import {
  configFor,
  manifestOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from './contract-content.ts'

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0'
const NAME = repository('team/app')

const program = goProgram('distribution3')

let upstream: TestRegistry
let from: Registry

beforeEach(async () => {
  upstream = await startRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
})

afterEach(async () => {
  for (const part of [from, upstream]) await part[Symbol.asyncDispose]()
})

/** A cache of builds as BuildKit's `image-manifest=false` writes it: an index of layers and a config. */
async function publish(tag: string, layer = randomBlob(2_000)) {
  const config = randomBlob(200)
  await using pusher = open(configFor(upstream.url))
  const target = pusher.repository(NAME)
  for (const { descriptor, bytes } of [layer, config])
    await target.putBlob(descriptor, streamOf(bytes), SIGNAL)
  const manifests = [
    { ...layer.descriptor, mediaType: LAYER },
    { ...config.descriptor, mediaType: CACHE_CONFIG },
  ]
  const index = manifestOf({ manifests }, OCI_INDEX)
  await target.putManifest(reference(tag), index, SIGNAL)
  return { layer, index }
}

describe.skipIf(program === undefined)(
  `a cache of builds that is an index of layers, at distribution 3${missingProgram('distribution3')}`,
  () => {
    it('is refused once and for all, and no layer is sent twice', async () => {
      await using local = await startRegistry({ program })
      await using to = open(configFor(local.url))
      await publish('cache')

      const outcome = await copyImage({ from, to }, { reference: reference('cache') })

      expect(outcome).toMatchObject({ kind: 'refused', failure: true })
      expect(outcome).toHaveProperty(
        'reason',
        'push manifest team/app:cache to the local registry failed: it has each of the 2 blobs that this index names and answers that it knows none of them. It takes no index of layers; BuildKit writes its cache as an image, which registries take, with image-manifest=true.',
      )
      const puts = local.requests({ method: 'PUT', path: /\/blobs\/uploads\// })
      expect(puts).toHaveLength(2)
    })

    it('is taken where the registry remembers its layers', async () => {
      await using local = await startRegistry({ program, remembersBlobs: true })
      await using to = open(configFor(local.url))
      const { index } = await publish('cache')

      expect(await copyImage({ from, to }, { reference: reference('cache') })).toMatchObject({
        kind: 'copied',
        digest: index.digest,
      })
    })

    it('is taken where the registry has to be reminded of them after a restart', async () => {
      await using local = await startRegistry({ program, remembersBlobs: true })
      await using to = open(configFor(local.url))
      const flights = new BlobFlights()
      const { layer } = await publish('cache')
      await copyImage({ from, to, flights }, { reference: reference('cache') })
      await publish('next', layer)
      await local.stop()
      await local.start()

      expect(
        await copyImage({ from, to, flights }, { reference: reference('next') }),
      ).toMatchObject({ kind: 'copied', blobs: { copied: 1, skipped: 1 } })
    })
  },
)
