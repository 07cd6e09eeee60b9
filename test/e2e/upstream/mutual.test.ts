import { expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { Started } from '../../support/process/started.ts'
import { digestAt, SECRET } from '../site.ts'

interface Side {
  readonly registry: TestRegistry
  readonly serve: PullsyncProcess
}

/** Two registries, each with a pullsync of its own that has the other one upstream. */
async function startBoth(started: Started): Promise<readonly [Side, Side]> {
  const ports = { a: await freePort(), b: await freePort() }
  const tell = (port: number, source: string) => ({
    name: source,
    url: `http://127.0.0.1:${port}/v1/events/${source}`,
    headers: { Authorization: `Bearer ${SECRET}` },
  })
  const registryOf = (own: number, other: number) =>
    started.add(startRegistry({ notifications: [tell(own, 'own'), tell(other, 'other')] }))
  const a = await registryOf(ports.a, ports.b)
  const b = await registryOf(ports.b, ports.a)
  const side = async (registry: TestRegistry, other: TestRegistry, listen: number) => {
    const redis = await started.add(startRedis())
    const admin = await freePort()
    const config = `
redis: { url: ${redis.url} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${registry.url} }
upstreams: { hq: { url: ${other.url} } }
projects: [{ name: team, upstream: hq, onUpstreamPush: always }]
sources:
  own: { format: distribution, registry: local, secret: ${SECRET} }
  other: { format: distribution, registry: hq, secret: ${SECRET} }
`
    const readyUrl = `http://127.0.0.1:${admin}/readyz`
    const serve = await started.add(startPullsync({ args: ['serve'], config, readyUrl }))
    await started.add(startPullsync({ args: ['worker'], config, readyLine: /process started/ }))
    return { registry, serve }
  }
  return [await side(a, b, ports.a), await side(b, a, ports.b)]
}

async function jobsOf({ serve }: Side) {
  const { stdout } = await serve.run(['jobs', 'list', '--json', '--match', 'team/app*'])
  return JSON.parse(stdout) as { readonly state: string; readonly outcome?: { kind: string } }[]
}

it('two pullsyncs whose registries are each the upstream of the other settle', async () => {
  await using started = new Started()
  const sides = await startBoth(started)
  const [a, b] = sides
  await using image = await buildImage()

  await pushOverHttp(image, { url: a.registry.url, repository: 'team/app', tag: '1.0' })

  const has = async ({ registry }: Side) => await digestAt(registry, 'team/app:1.0')
  await eventually(async () => (await has(b)) === image.top.digest)
  // b has copied it, which a is told of: that is one look there, which finds nothing new.
  const settled = await eventually(async () => {
    const jobs = [await jobsOf(a), await jobsOf(b)]
    const ended = jobs.flat().every(({ state }) => state === 'completed')
    return ended && jobs.every((each) => each.length > 0) && jobs
  })
  const kinds = settled.map((jobs) => jobs.map(({ outcome }) => outcome?.kind))
  expect(kinds).toEqual([['up-to-date'], ['copied']])
  const puts = { method: 'PUT', path: /\/team\/app\/manifests\/1\.0$/ }
  expect(sides.map(({ registry }) => registry.requests(puts).length)).toEqual([1, 1])
})
