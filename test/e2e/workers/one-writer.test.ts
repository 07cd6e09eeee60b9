import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { type Line, startLine } from '../../support/network/line.ts'
import { startPullsync } from '../../support/process/pullsync-process.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

const opened: AsyncDisposable[] = []

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

function open<T extends AsyncDisposable>(part: T): T {
  opened.push(part)
  return part
}

/** A worker that reaches Redis and the upstream over lines of its own. */
async function startApart(site: Site, ways: { readonly redis: Line; readonly upstream: Line }) {
  const config = `
redis: { url: 'redis://${ways.redis.host}' }
listen: 127.0.0.1:${await freePort()}
local: { url: '${site.local.url}' }
upstreams: { hq: { url: '${ways.upstream.url}' } }
projects: [{ name: team, upstream: hq, onUpstreamPush: always }]
`
  return open(await startPullsync({ args: ['worker'], config, readyLine: /process started/ }))
}

it('a worker that is cut off from Redis in the middle of a copy does not set a tag back', async () => {
  const site = open(await startSite({ workers: 0, project: '    onUpstreamPush: always' }))
  const redis = open(await startLine(site.redis.port))
  const upstream = open(await startLine(site.upstream.port))
  const apart = await startApart(site, { redis, upstream })
  upstream.hold(256 * 1024)
  await site.publish('team/app:1.0', { layerBytes: 2 * 1024 * 1024 })
  await eventually(() => upstream.held(), { describe: 'the first version to be under way' })

  redis.partition()
  const second = await site.publish('team/app:1.0')
  await site.startWorker()
  await arrives(site, 'team/app:1.0', second)
  upstream.release()

  const lost = () => apart.output().some((line) => line.includes('job lost'))
  const now = () => digestAt(site.local, 'team/app:1.0')
  await eventually(async () => lost() || (await now()) !== second.top.digest, {
    describe: 'the first worker to be done with the first version',
  })
  expect(await now()).toBe(second.top.digest)
  redis.release()
  await eventually(lost)
  const { stdout } = await site.serve.run(['status', '--json'])
  expect(stdout).not.toContain('lastFailure"')
})
