import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RateLimit } from '../../../src/registry/rate-limit.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import {
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from '../contract-content.ts'

let hub: ScriptedRegistry
let store: ScriptedRegistry
let client: Registry
let told: RateLimit[]

beforeEach(async () => {
  hub = await startScriptedRegistry()
  store = await startScriptedRegistry()
  told = []
  const onRateLimit = (rateLimit: RateLimit) => told.push(rateLimit)
  client = open(configFor(hub.url, { id: 'hub' }), { onRateLimit })
})

afterEach(async () => {
  for (const each of [client, hub, store]) await each[Symbol.asyncDispose]()
})

it('the rate limit that a registry tells is passed on, answer by answer', async () => {
  let left = 76
  hub.script({ path: /manifests/ }, ({ response, serve }) => {
    response.setHeader('ratelimit-limit', '100;w=21600')
    response.setHeader('ratelimit-remaining', `${left--};w=21600`)
    return serve()
  })
  const repo = client.repository(repository('library/alpine'))
  expect(client.rateLimit()).toBeUndefined()

  await repo.headManifest(reference('3.20'), SIGNAL)
  await repo.headManifest(reference('3.20'), SIGNAL)

  expect(told.map(({ remaining }) => remaining)).toEqual([76, 75])
  expect(client.rateLimit()).toEqual({ limit: 100, remaining: 75, windowSeconds: 21_600 })
})

it('a refusal that tells the rate limit is passed on, too', async () => {
  hub.script({ path: /manifests/ }, ({ response }) => {
    response.setHeader('ratelimit-limit', '100;w=21600')
    response.setHeader('ratelimit-remaining', '0;w=21600')
    response.setHeader('retry-after', '600')
    refuse(response, 429, 'TOOMANYREQUESTS')
  })

  await failureOf(
    client.repository(repository('library/alpine')).headManifest(reference('3.20'), SIGNAL),
  )

  expect(told).toEqual([{ limit: 100, remaining: 0, windowSeconds: 21_600 }])
})

it('the rate limit of an object store that takes the uploads is not taken for its own', async () => {
  const { bytes, descriptor } = randomBlob(10)
  hub.script({ method: 'POST' }, ({ response }) => {
    response.writeHead(202, { location: `${store.url}/elsewhere` }).end()
  })
  store.script({}, async ({ request, response }) => {
    await bytesOf(request)
    response.writeHead(201, { 'ratelimit-limit': '5', 'ratelimit-remaining': '1' }).end()
  })

  const repo = client.repository(repository('library/alpine'))
  await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)

  expect(store.requests).toHaveLength(1)
  expect(told).toEqual([])
})
