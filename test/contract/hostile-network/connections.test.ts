import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import {
  configFor,
  failureOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from '../contract-content.ts'
import { MANIFEST, TAG, twoOrigins, type TwoOrigins } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('connections', () => {
  it('are kept, whatever the answers were', async () => {
    const client = origins.repo()
    const { descriptor } = randomBlob(10)

    for (let round = 0; round < 5; round += 1) {
      await client.headManifest(TAG, SIGNAL)
      await client.getManifest(reference('nope'), SIGNAL)
      await client.hasBlob(descriptor.digest, SIGNAL)
      await failureOf(client.getBlob(descriptor, SIGNAL))
      await client.putManifest(TAG, MANIFEST, SIGNAL)
    }

    // A second one, for what is asked before the first one's answer is read to its end; blobs have their own.
    expect(origins.registry.connections()).toBeLessThanOrEqual(3)
  })

  it('go past any proxy of the environment', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1')

    try {
      expect(await origins.repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('are cut when the registry is closed', async () => {
    const client = open(configFor(origins.registry.url))
    origins.registry.script({}, () => undefined)
    const running = failureOf(client.repository(repository('team/app')).getManifest(TAG, SIGNAL))
    await eventually(() => origins.registry.requests.length > 0)

    await client[Symbol.asyncDispose]()

    expect(await running).toMatchObject({ name: 'RegistryError', disposition: 'transient' })
  })

  it('carry the name of pullsync with every request', async () => {
    const { bytes, descriptor } = randomBlob(10)
    const client = origins.repo()
    await client.putBlob(descriptor, streamOf(bytes), SIGNAL)
    await client.getManifest(TAG, SIGNAL)

    const agents = origins.registry.requests.map(({ headers }) => headers['user-agent'])
    expect(new Set(agents)).toEqual(new Set(['pullsync/test']))
  })
})
