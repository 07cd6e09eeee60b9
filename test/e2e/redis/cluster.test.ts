import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startRedisCluster } from '../../support/redis/redis-cluster.ts'
import { arrives, type JobJson, startSite } from '../site.ts'

/** As `CLUSTER KEYSLOT {pullsync}` tells. */
const SLOT = 8_214

it('a Redis Cluster keeps the jobs on one node, and all processes follow them to the next', async () => {
  await using redis = await startRedisCluster(SLOT)
  const nodes = redis.nodes.map((node) => `'${node}'`).join(', ')
  await using site = await startSite({ redisConfig: `{ cluster: [${nodes}] }` })
  const first = await site.publish('team/before:1.0')
  expect(await site.miss('team/before', '1.0')).toMatchObject({ status: 202 })
  await arrives(site, 'team/before:1.0', first)
  const keys = await redis.keys()
  expect([...keys.keys()]).toEqual([await redis.primaryPort()])
  const elsewhere = [...keys.values()].flat().filter((key) => !key.startsWith('{pullsync}:'))
  expect(elsewhere).toEqual([])

  // The old primary goes on as a replica, with the connections that it had.
  await redis.handOver()

  const second = await site.publish('team/handed-over:1.0')
  await eventually(async () => (await site.miss('team/handed-over', '1.0')).status === 202)
  await arrives(site, 'team/handed-over:1.0', second)
  const waiting = await site.publish('team/waiting:1.0')
  expect(await site.serve.run(['pause', 'hq'])).toMatchObject({ code: 0 })
  expect(await site.miss('team/waiting', '1.0')).toMatchObject({ status: 202 })
  const isMiss = ({ request }: JobJson) => request.trigger === 'miss'
  await eventually(async () => (await site.jobs('--match', 'team/waiting')).some(isMiss))

  await redis.killPrimary()

  const after = await site.publish('team/after:1.0')
  await eventually(async () => (await site.miss('team/after', '1.0')).status === 202)
  expect(await site.serve.run(['resume', 'hq'])).toMatchObject({ code: 0 })
  await arrives(site, 'team/waiting:1.0', waiting)
  await arrives(site, 'team/after:1.0', after)
  const checked = await site.serve.run(['check', '--online'])
  expect(checked.stdout).toMatch(/^redis .* ok/m)
}, 400_000)
