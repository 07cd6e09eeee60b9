import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../support/network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { Started } from '../../support/process/started.ts'

const BURST = 20
const ASKED = 120
/** Whoever is told to wait waits no longer for a turn. */
const TURNS_AHEAD = 3
const SUBJECT = `sha256:${'a'.repeat(64)}`

describe('a burst of one client, over two processes', () => {
  const parts = new Started()
  let redis: TestRedis
  let local: ScriptedRegistry
  let upstream: ScriptedRegistry
  let gateways: readonly string[]

  beforeAll(async () => {
    redis = await parts.add(startRedis())
    local = await parts.add(startScriptedRegistry())
    upstream = await parts.add(startScriptedRegistry())
    gateways = await Promise.all([startServe(), startServe()])
    upstream.script({ path: /^\/v2\/team\/genuine\/tags/ }, ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ name: 'x', tags: ['1.0'] }))
    })
    for (const registry of [local, upstream]) {
      registry.script({ path: /\/referrers\// }, ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' })
        response.end(JSON.stringify({ schemaVersion: 2, manifests: [] }))
      })
    }
  })

  afterAll(async () => {
    await parts[Symbol.asyncDispose]()
  })

  async function startServe(): Promise<string> {
    const [listen, admin] = [await freePort(), await freePort()]
    const config = `
redis: { url: ${redis.url} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${local.url} }
upstreams: { hq: { url: ${upstream.url} } }
projects: [{ name: team, upstream: hq, policy: none }]
misses: { perSource: { burst: ${BURST}, perSecond: 1 }, perRepository: { burst: ${BURST}, perSecond: 1 } }
`
    const readyUrl = `http://127.0.0.1:${admin}/readyz`
    const started: Promise<PullsyncProcess> = startPullsync({ args: ['serve'], config, readyUrl })
    await parts.add(started)
    return `http://127.0.0.1:${listen}`
  }

  /** From an address of its own, half of them from each process; how many seconds all of them took, begun ones too. */
  async function askTogether(localAddress: string, method: string, paths: readonly string[]) {
    const startedAt = performance.now()
    await Promise.all(
      paths.map((path, i) => ask(localAddress, method, `${gateways[i % 2]}/v2/${path}`)),
    )
    return Math.ceil((performance.now() - startedAt) / 1_000) + 1
  }

  async function ask(localAddress: string, method: string, url: string) {
    const asking = request(url, { localAddress, method, agent: false }).end()
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    const chunks = (await answer.toArray()) as Buffer[]
    return Buffer.concat(chunks).toString()
  }

  const askedUpstream = (path: RegExp) =>
    upstream.requests.filter((seen) => path.test(seen.path)).length

  const madeUp = (pathOf: (i: number) => string) =>
    Array.from({ length: ASKED }, (_, i) => pathOf(i))

  it('is let in up to what its bucket holds', async () => {
    const paths = madeUp((i) => `team/app/manifests/absent-${i}`)

    const seconds = await askTogether('127.0.0.2', 'HEAD', paths)

    const asked = askedUpstream(/\/team\/app\/manifests\/absent/)
    expect(asked).toBeGreaterThanOrEqual(BURST)
    expect(asked).toBeLessThanOrEqual(BURST + seconds)
  })

  it.each([
    [
      'the tags of repositories',
      /\/none-\d+\/tags\/list/,
      (i: number) => `team/none-${i}/tags/list`,
    ],
    [
      'what refers to images of repositories',
      /\/gone-\d+\/referrers\//,
      (i: number) => `team/gone-${i}/referrers/${SUBJECT}`,
    ],
  ])('is let in likewise where it asks for %s that nobody has', async (what, path, pathOf) => {
    const client = what.startsWith('the tags') ? '127.0.0.3' : '127.0.0.4'
    const list = 'team/genuine/tags/list'

    const seconds = await askTogether(client, 'GET', madeUp(pathOf))

    const asked = askedUpstream(path)
    expect(asked).toBeGreaterThanOrEqual(BURST)
    expect(asked).toBeLessThanOrEqual(BURST + TURNS_AHEAD + seconds)
    expect(JSON.parse(await ask(client, 'GET', `${gateways[0]}/v2/${list}`))).toMatchObject({
      tags: ['1.0'],
    })
  })

  it('takes nothing from another client, and waits for its turn for what there is', async () => {
    const noise = madeUp((i) => `team/noise-${i}/tags/list`)
    await askTogether('127.0.0.5', 'GET', noise)

    const [own, other] = await Promise.all(
      ['127.0.0.5', '127.0.0.6'].map((client, i) =>
        ask(client, 'GET', `${gateways[i]}/v2/team/genuine/tags/list?n=${i + 5}`),
      ),
    )

    for (const list of [own, other]) expect(JSON.parse(list ?? '')).toMatchObject({ tags: ['1.0'] })
  })
})
