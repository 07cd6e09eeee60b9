import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UpstreamLists } from '../../../src/gateway/lists/upstream-lists.ts'
import { UpstreamLook } from '../../../src/gateway/manifests/upstream-look.ts'
import type { Tag } from '../../../src/oci/reference.ts'
import { Breakers, endHold } from '../../../src/pool/breaker.ts'
import { SharedHolds } from '../../../src/pool/gateways/shared-holds.ts'
import { OpenRegistries } from '../../../src/roots/open-registries.ts'
import { addEmptyImage } from '../../support/images/empty-image.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { UNLIMITED } from '../../support/given/unlimited.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'

const HELD = { why: { reason: 'upstream-held', retryAfterMs: expect.any(Number) as number } }

let server: TestRedis
let redis: Redis
let hub: ScriptedRegistry
let registries: OpenRegistries

beforeEach(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
  hub = await startScriptedRegistry()
  const upstreams = `upstreams: { hq: { url: '${hub.url}' } }`
  registries = new OpenRegistries(configOf(yamlWith({ upstreams })))
})

afterEach(async () => {
  await registries[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

function openLook(): UpstreamLook {
  const holds = new SharedHolds(redis, () => undefined)
  return new UpstreamLook({
    source: (id, { upstreamRepository }) => registries.of(id).repository(upstreamRepository),
    limits: UNLIMITED,
    holdOf: (upstream) => holds.holdOf(upstream),
    onError: () => undefined,
  })
}

function openLists(): UpstreamLists<Tag> {
  const holds = new SharedHolds(redis, () => undefined)
  return new UpstreamLists<Tag>({
    read: (id, { upstreamRepository }, signal) =>
      registries.of(id).repository(upstreamRepository).tags(signal),
    nameOf: (tag) => tag,
    isHeld: async (upstream) => (await holds.holdOf(upstream)) !== undefined,
    onError: () => undefined,
  })
}

async function evals(): Promise<number> {
  const calls = /cmdstat_eval:calls=(\d+)/.exec(await redis.info('commandstats'))
  return Number(calls?.[1] ?? 0)
}

it('asks an upstream nothing that wants to be left alone, and Redis once for many clients', async () => {
  for (let tag = 0; tag < 50; tag += 1) addEmptyImage(hub, 'team/app', `${tag}`)
  const breakers = new Breakers(redis, () => OUTAGES)
  await breakers.failed('hq', { kind: 'held', reason: 'answered 429', forMs: 600_000 })
  const look = openLook()
  const before = await evals()

  const tags = Array.from({ length: 50 }, (_, tag) => `${tag}` as Tag)
  const heads = await Promise.all(
    tags.map((reference) => look.head(replicationRequest({ reference }))),
  )

  expect(heads).toEqual(tags.map(() => HELD))
  expect(hub.requests).toEqual([])
  expect((await evals()) - before).toBe(1)
})

it('asks it when the hold is over', async () => {
  addEmptyImage(hub, 'team/app', '1.0')
  const breakers = new Breakers(redis, () => OUTAGES)
  await breakers.failed('hq', { kind: 'held', reason: 'answered 429', forMs: 600_000 })
  expect(await openLook().head(replicationRequest())).toEqual(HELD)

  await endHold(redis, 'hq')

  expect(await openLook().head(replicationRequest())).toHaveProperty('digest')
})

it('reads no list of an upstream that wants to be left alone, until that is over', async () => {
  addEmptyImage(hub, 'team/app', '1.0')
  const breakers = new Breakers(redis, () => OUTAGES)
  await breakers.failed('hq', { kind: 'down', reason: 'answered 503', forMs: 600_000 })
  const { upstreamRepository, upstreams } = replicationRequest()
  const wish = { upstreamRepository, upstreams, freshForMs: 0 }

  expect(await openLists().of(wish)).toEqual({ entries: [], complete: false })
  expect(hub.requests).toEqual([])
  await breakers.succeeded('hq')

  expect(await openLists().of(wish)).toMatchObject({ complete: true })
  expect(hub.requests.map(({ path }) => path)).toEqual([expect.stringContaining('/tags/list')])
})
