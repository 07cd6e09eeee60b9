import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UpstreamLook } from '../../../src/gateway/manifests/upstream-look.ts'
import type { Tag } from '../../../src/oci/reference.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { SharedHolds } from '../../../src/pool/gateways/shared-holds.ts'
import { UpstreamWatch } from '../../../src/pool/gateways/upstream-watch.ts'
import { OpenRegistries } from '../../../src/roots/open-registries.ts'
import { watchedHeads } from '../../../src/roots/watch-upstreams.ts'
import { eventually } from '../../support/eventually.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { Started } from '../../support/process/started.ts'
import { UNLIMITED } from '../../support/given/unlimited.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'

const IMAGES = Array.from({ length: OUTAGES.failures }, (_, tag) => `${tag}` as Tag)

let parts: Started
let redis: Redis
let hub: ScriptedRegistry
let look: UpstreamLook
let held: string[]

beforeEach(async () => {
  parts = new Started()
  held = []
  const { url } = await parts.add(startRedis())
  redis = new Redis(url, { maxRetriesPerRequest: 0 })
  hub = await parts.add(startScriptedRegistry())
  const upstreams = `upstreams: { hq: { url: '${hub.url}' } }`
  const registries = new OpenRegistries(configOf(yamlWith({ upstreams })))
  await parts.add(Promise.resolve(registries))
  const holds = new SharedHolds(redis, () => undefined)
  const watch = new UpstreamWatch({
    ...{ redis, holds, breakers: new Breakers(redis, () => OUTAGES) },
    onHeld: (upstream) => held.push(upstream),
    ...{ onAnswers: () => undefined, onError: () => undefined },
  })
  look = new UpstreamLook({
    source: watchedHeads({ registries, watch }),
    limits: UNLIMITED,
    holdOf: (upstream) => watch.holdOf(upstream),
    onError: () => undefined,
  })
})

afterEach(async () => {
  redis.disconnect()
  await parts[Symbol.asyncDispose]()
})

it('an upstream that takes connections and answers no HEAD counts as down for the pool', async () => {
  // Never answered.
  hub.script({ method: 'HEAD' }, () => undefined)

  const heads = await Promise.all(
    IMAGES.map((reference) => look.head(replicationRequest({ reference }))),
  )

  expect(heads).toEqual(IMAGES.map(() => ({ why: expect.objectContaining({}) as object })))
  await eventually(() => held.includes('hq'), { describe: 'the upstream to count as down' })
})
