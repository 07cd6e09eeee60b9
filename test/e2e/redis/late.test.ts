import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { buildImage } from '../../support/images/image.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startNetwork, whyNoNetwork } from '../../support/network/network.ts'
import { startPullsync } from '../../support/process/pullsync-process.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { JOBS } from '../../integration/queue/queue-site.ts'

const noNetwork = await whyNoNetwork()

describe.skipIf(noNetwork !== undefined)('a worker on a host of its own', () => {
  it('that was there before Redis tells others where they can follow what it brings', async () => {
    await using network = await startNetwork(1)
    const [host] = network.hosts
    const { address } = network
    const port = await freePort()
    const url = `redis://${address}:${port}`
    await using upstream = await startRegistry({ address })
    await using local = await startRegistry({ address })
    await using image = await buildImage({ index: false })
    await pushOverHttp(image, { url: upstream.url, repository: 'team/app', tag: '1.0' })
    const config = `
redis: { url: ${url} }
local: { url: ${local.url}, insecure: true }
upstreams: { hq: { url: ${upstream.url}, insecure: true } }
projects: [{ name: team, upstream: hq }]
`
    await using worker = await startPullsync({
      ...{ args: ['worker'], config, through: host?.through ?? [], readyLine: /process started/ },
    })

    await using redis = await startRedis({ address, port })

    await using queues = new ReplicationQueues({
      ...{ url: redis.url, upstreams: ['hq'], misses: MISS_LIMITS, onError: () => undefined },
      jobs: JOBS,
    })
    await eventually(() => queues.ping().then(() => true))
    await queues.enqueue([replicationRequest({ followed: true })])
    const asking = new Redis(redis.url)
    const places = await eventually(async () => {
      const keys = await asking.keys('pullsync:spool:*')
      return keys.length > 0 && (await asking.mget(keys))
    }).finally(() => {
      asking.disconnect()
    })
    expect(places.map((place) => new URL(place ?? '').hostname)).toEqual(
      places.map(() => host?.address),
    )
    expect(await worker.stop()).toMatchObject({ code: 0 })
  })
})
