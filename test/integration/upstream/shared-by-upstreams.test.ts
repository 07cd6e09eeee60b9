import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { RedisBlobLedger } from '../../../src/pool/redis-blob-ledger.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  configFor,
  failureOf,
  manifestOf,
  open,
  randomBlob,
} from '../../contract/contract-content.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'

const LAYER = randomBlob(100_000)
const NAME = 'team/app'

let server: TestRedis
let local: TestRegistry
let hq: ScriptedRegistry
let lab: ScriptedRegistry
let redis: Redis
let clients: Registry[]

beforeEach(async () => {
  ;[server, local, hq, lab] = await Promise.all([
    startRedis(),
    startRegistry(),
    startScriptedRegistry(),
    startScriptedRegistry(),
  ])
  redis = new Redis(server.url)
  clients = []
})

afterEach(async () => {
  redis.disconnect()
  for (const part of [...clients, hq, lab, local, server]) await part[Symbol.asyncDispose]()
})

/** Names the layer, and has it unless told. */
function publish(upstream: ScriptedRegistry, { has = true } = {}): void {
  const config = randomBlob(100)
  upstream.addBlob(NAME, config.bytes)
  if (has) upstream.addBlob(NAME, LAYER.bytes)
  const image = manifestOf({ config: config.descriptor, layers: [LAYER.descriptor] })
  upstream.addManifest(NAME, '1.0', image.bytes, OCI_MANIFEST)
}

async function copy(id: string, upstream: ScriptedRegistry, into = `team/${id}`) {
  const from = open(configFor(upstream.url, { id }))
  const to = open(configFor(local.url))
  clients.push(from, to)
  const ledger = new RedisBlobLedger(redis, () => undefined)
  return await copyImage({ from, to, ledger }, { repository: into as Repository, upstreams: [id] })
}

function requestsFor(upstream: ScriptedRegistry, range?: string) {
  return upstream.requests.filter(
    ({ path, headers }) => path.endsWith(LAYER.descriptor.digest) && headers.range === range,
  ).length
}

it('a layer that an upstream only names is not linked for it', async () => {
  publish(hq)
  publish(lab, { has: false })
  await copy('hq', hq)

  const failure = await failureOf(copy('lab', lab))

  expect(String(failure)).toContain(`pull blob ${LAYER.descriptor.digest}`)
  const url = `${local.url}/v2/team/lab/blobs/${LAYER.descriptor.digest}`
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(404)
})

it('a layer is linked for an upstream that gives a byte of it, and again without that', async () => {
  publish(hq)
  publish(lab)
  await copy('hq', hq)

  const first = await copy('lab', lab)
  const second = await copy('lab', lab, 'team/other')

  expect(first).toMatchObject({ kind: 'copied', blobs: { mounted: 1, copied: 1 } })
  expect(second).toMatchObject({ kind: 'copied', blobs: { mounted: 2, copied: 0 } })
  expect([requestsFor(lab, 'bytes=0-0'), requestsFor(lab)]).toEqual([1, 0])
})

it('a layer that one upstream begins and never ends comes from the other', async () => {
  publish(hq)
  publish(lab)
  hq.script({ path: new RegExp(LAYER.descriptor.digest) }, ({ response }) => {
    response.writeHead(200, { 'content-length': LAYER.bytes.length })
    response.write(LAYER.bytes.subarray(0, 1))
  })
  const stuck = copy('hq', hq).catch(() => undefined)
  await eventually(() => requestsFor(hq) === 1)

  expect(await copy('lab', lab)).toMatchObject({ kind: 'copied', blobs: { copied: 2 } })

  await hq[Symbol.asyncDispose]()
  await stuck
})
