import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { arrives, type Site, startSite } from '../site.ts'

describe('a Redis with a replica', () => {
  let site: Site
  let replica: TestRedis
  let onPrimary: Redis
  let onReplica: Redis

  beforeAll(async () => {
    site = await startSite({ redisThroughLine: true, upstream: { notifications: [] } })
    replica = await startRedis()
    onPrimary = new Redis(site.redis.url)
    onReplica = new Redis(replica.url)
    await onReplica.replicaof('127.0.0.1', site.redis.port)
    await eventually(async () => (await onReplica.info()).includes('master_link_status:up'))
  })

  afterAll(async () => {
    onPrimary.disconnect()
    onReplica.disconnect()
    await replica[Symbol.asyncDispose]()
    await site[Symbol.asyncDispose]()
  })

  async function readiness() {
    const answer = await fetch(`${site.admin}/readyz`)
    return { status: answer.status, text: await answer.text() }
  }

  async function isReady() {
    return (await readiness()).status === 200
  }

  it.each([
    ['has no memory left', ['maxmemory', '1'], ['maxmemory', '0'], 'OOM'],
    [
      'lacks the replicas that it needs',
      ['min-replicas-to-write', '5'],
      ['min-replicas-to-write', '0'],
      'NOREPLICAS',
    ],
  ] as const)('is not ready for jobs while it %s', async (_, [key, value], [, before], says) => {
    await onPrimary.config('SET', key, value)

    const { status, text } = await readiness()

    await onPrimary.config('SET', key, before)
    expect(status).toBe(503)
    expect(text).toContain(says)
    await eventually(isReady)
  })

  it('says that it cannot write to its disk, takes nothing meanwhile, and goes on by itself', async () => {
    const image = await site.publish('team/misconf:1.0')
    const [, folder = ''] = await onPrimary.config('GET', 'dir')
    const inTheWay = join(folder, 'dump.rdb')
    const saves = async (status: string) => {
      await onPrimary.bgsave().catch(() => undefined)
      return (await onPrimary.info('persistence')).includes(`rdb_last_bgsave_status:${status}`)
    }
    await mkdir(inTheWay)
    await onPrimary.config('SET', 'save', '3600 1')
    await eventually(() => saves('err'), { describe: 'Redis to fail in saving' })

    const unready = await readiness()
    const told = await site.miss('team/misconf', '1.0')

    await rmdir(inTheWay)
    await eventually(() => saves('ok'), { describe: 'Redis to save again' })
    await onPrimary.config('SET', 'save', '')
    expect(unready.status).toBe(503)
    expect(unready.text).toContain('MISCONF')
    expect(told.status).toBe(503)
    expect(site.serve.output().join('\n')).toContain('It cannot write to its disk')
    await eventually(isReady)
    expect((await site.miss('team/misconf', '1.0')).status).toBe(202)
    await arrives(site, 'team/misconf:1.0', image, 60_000)
  }, 120_000)

  it('hands over to it, and what pullsync has open with the demoted one goes there', async () => {
    const before = await site.publish('team/before:1.0')
    expect((await site.miss('team/before', '1.0')).status).toBe(202)
    await arrives(site, 'team/before:1.0', before)

    await onReplica.replicaof('NO', 'ONE')
    await onPrimary.replicaof('127.0.0.1', replica.port)
    // New connections alone: a fail-over breaks none of a Redis that lives on.
    site.redisLine.lead(replica.port)

    const image = await site.publish('team/after:1.0')
    await eventually(async () => (await site.miss('team/after', '1.0')).status === 202, {
      describe: 'the new primary to be asked',
    })
    await arrives(site, 'team/after:1.0', image)
    await eventually(isReady)
    expect(await onReplica.keys('pullsync:hq:*')).not.toEqual([])
  })
})
