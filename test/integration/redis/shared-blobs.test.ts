import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { RedisBlobLedger } from '../../../src/pool/redis-blob-ledger.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import type { BlobLedger } from '../../../src/replication/graph/blob-ledger.ts'
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

const MIB = 1024 * 1024

describe('the blobs that several workers copy', () => {
  let server: TestRedis
  let upstream: ScriptedRegistry
  let local: TestRegistry
  let redis: Redis
  let clients: Registry[]

  beforeEach(async () => {
    ;[server, upstream, local] = await Promise.all([
      startRedis(),
      startScriptedRegistry(),
      startRegistry(),
    ])
    redis = new Redis(server.url)
    clients = []
  })

  afterEach(async () => {
    redis.disconnect()
    for (const part of [...clients, upstream, local, server]) await part[Symbol.asyncDispose]()
  })

  /** With connections and knowledge of its own, as another process has. */
  function worker(): { from: Registry; to: Registry; ledger: BlobLedger } {
    const from = open(configFor(upstream.url, { id: 'hq' }))
    const to = open(configFor(local.url))
    clients.push(from, to)
    return { from, to, ledger: new RedisBlobLedger(redis, () => undefined) }
  }

  function publish(size = 1_000) {
    const [config, layer] = [randomBlob(100), randomBlob(size)]
    for (const { bytes } of [config, layer]) upstream.addBlob('team/app', bytes)
    const image = manifestOf({ config: config.descriptor, layers: [layer.descriptor] })
    upstream.addManifest('team/app', '1.0', image.bytes, OCI_MANIFEST)
    return { config, layer, image }
  }

  function fetched() {
    return upstream.requests.filter(
      ({ method, path }) => method === 'GET' && path.includes('blobs'),
    )
  }

  function to(name: string) {
    return { repository: `team/${name}` as Repository }
  }

  it('are fetched once, whoever needs them, and linked for the others', async () => {
    publish()
    const names = ['one', 'two', 'three', 'four']

    const outcomes = await Promise.all(names.map((name) => copyImage(worker(), to(name))))

    expect(fetched()).toHaveLength(2)
    const mounted = outcomes.map((each) => (each.kind === 'copied' ? each.blobs.mounted : NaN))
    expect(mounted.reduce((sum, count) => sum + count)).toBe(2 * (names.length - 1))
  })

  it('are linked from where Redis knows them to be, later too', async () => {
    publish()
    await copyImage(worker(), to('one'))

    const outcome = await copyImage(worker(), to('two'))

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { mounted: 2, copied: 0 } })
    expect(fetched()).toHaveLength(2)
  })

  it('are fetched where Redis is wrong about them, and what was wrong is forgotten', async () => {
    const { layer } = publish()
    const { digest } = layer.descriptor
    const here = worker()
    await here.ledger.landed(digest, 'team/gone' as Repository)

    const outcome = await copyImage(here, to('one'))

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { mounted: 0, copied: 2 } })
    expect((await here.ledger.look(digest)).holders).toEqual(['team/one'])
  })

  it('are waited for while another worker has the right, and fetched once it lapses', async () => {
    const { layer } = publish()
    const { digest } = layer.descriptor
    const dying = new Redis(server.url)
    const state = { holder: 'dying', origin: 'hq', bytes: 0 }
    await new RedisBlobLedger(dying, () => undefined).lease(digest, state)
    const copying = copyImage(worker(), to('one'))
    await eventually(() => fetched().length === 1)
    const blob = ({ path }: { readonly path: string }) => path.includes(digest)
    expect(fetched().filter(blob)).toEqual([])

    // As when its worker dies: nobody renews it; the rest of its time is cut short.
    dying.disconnect()
    await redis.pexpire(`pullsync:lease:${digest}`, 300)

    expect(await copying).toMatchObject({ kind: 'copied', blobs: { copied: 2 } })
    expect(fetched().filter(blob)).toHaveLength(1)
  })

  it('are continued by another worker from where the first one was stopped, when they are large', async () => {
    const { layer } = publish(40 * MIB)
    const stopped = new AbortController()
    const dying = { ...worker(), signal: stopped.signal }
    let sent = false
    const part = { method: 'GET', path: /blobs/, times: 2 }
    upstream.script(part, async ({ request, response, serve }) => {
      if (!request.url?.includes(layer.descriptor.digest)) {
        await serve()
        return
      }
      response.writeHead(200, { 'content-length': layer.bytes.length })
      response.write(layer.bytes.subarray(0, 21 * MIB), () => (sent = true))
    })
    const failure = failureOf(copyImage(dying, to('one')))
    await eventually(() => sent)
    stopped.abort(new Error('the worker dies'))
    await failure
    let range: string | undefined
    upstream.script({ method: 'GET', path: /blobs/ }, ({ request, response }) => {
      range = request.headers.range
      const begin = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
      const total = layer.bytes.length
      response.writeHead(206, { 'content-range': `bytes ${begin}-${total - 1}/${total}` })
      response.end(layer.bytes.subarray(begin))
    })

    expect(await copyImage(worker(), to('one'))).toMatchObject({ kind: 'copied' })

    expect(range).toMatch(/^bytes=\d+-$/)
    expect(Number(range?.slice(6, -1))).toBeGreaterThanOrEqual(8 * MIB)
  })
})
