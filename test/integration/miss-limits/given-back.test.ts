import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Repository } from '../../../src/oci/reference.ts'
import { GATEWAY_SOURCE } from '../../../src/gateway/manifests/misses.ts'
import { lookLimits } from '../../../src/roots/gateway-limits.ts'
import { UpstreamLook } from '../../../src/gateway/manifests/upstream-look.ts'
import { eventually } from '../../support/eventually.ts'
import { absent, HEAD, miss, missesSite, type MissesSite, SLOW } from './misses-site.ts'

describe('misses that bring nothing', () => {
  let site: MissesSite

  beforeEach(async () => {
    site = await missesSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('give back nothing that they did not take, however often the same is missed', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await site.ask(absent(3, { client }))
    await site.offered(miss('endless', { client }))

    const again = [1, 2, 3, 4, 5].map(() => site.offered(miss('endless', { client })))

    expect(await Promise.all(again)).toEqual(again.map(() => 'duplicate'))
    expect(await site.offered(miss('absent-9', { client }))).toBe('repository-limited')
    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await site.offered(miss('absent-9', elsewhere))).toBe('source-limited')
  })

  it('get nothing back where they passed empty buckets, when upstream is looked at', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await site.ask(absent(4, { client }))
    const { look } = site.passing()

    const { signal } = new AbortController()
    for (const n of [1, 2, 3, 4]) await look(miss(`v${n}`, { client }), signal)

    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await site.offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await site.offered(miss('1.0', { client }))).toBe('repository-limited')
  })

  it('get nothing back where they passed empty buckets, when their jobs end', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await site.ask(absent(4, { client }))
    const { offer } = site.passing()

    for (const n of [1, 2, 3, 4]) await offer(miss(`v${n}`, { client }))
    await site.idle()

    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await site.offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await site.offered(miss('1.0', { client }))).toBe('repository-limited')
  })

  it('get nothing back where they passed empty buckets, when a list is looked at', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const { client, asker } = await site.listAsker()
    await site.ask(absent(4, { client, source: GATEWAY_SOURCE }))
    const before = await site.fullAt(`repository:hq/team/app ${client}`)

    expect(await asker.mayAsk()).toBe(true)
    asker.answered(false)
    await asker.settled()

    expect(await site.fullAt(`repository:hq/team/app ${client}`)).toBe(before)
  })

  it('get back what a list of theirs took when upstream has something of it', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const { client, asker } = await site.listAsker()
    await site.ask(absent(1, { client, source: GATEWAY_SOURCE }))
    const before = await site.fullAt(`repository:hq/team/app ${client}`)

    expect(await asker.mayAsk()).toBe(true)
    expect(await site.fullAt(`repository:hq/team/app ${client}`)).toBe(before + 10_000)
    asker.answered(false)
    await asker.settled()

    // Redis has read its clock twice.
    expect(await site.fullAt(`repository:hq/team/app ${client}`)).toBeLessThan(before + 1_000)
  })

  it('get nothing back that Redis, which was away, did not take of them', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a cluster'
    await site.ask(absent(3, { client }))
    const before = await site.fullAt(`repository:hq/team/app ${client}`)
    const look = new UpstreamLook({
      source: () => ({
        headManifest: async () => {
          await site.redis.start()
          await eventually(() => site.queues.ping().then(() => true))
          return HEAD
        },
      }),
      limits: lookLimits(site.queues.limits, () => undefined),
      holdOf: () => Promise.resolve(undefined),
      onError: () => undefined,
    })
    await site.redis.stop()

    expect(await look.head(miss('v1', { client }))).toEqual(HEAD)
    await site.queues.ping()

    expect(await site.fullAt(`repository:hq/team/app ${client}`)).toBe(before)
  })

  it('pay, where they passed empty buckets, once upstream does not have them', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await site.ask(absent(4, { client }))

    for (const n of [5, 6, 7]) await site.passing().offer(miss(`absent-${n}`, { client }))
    await site.idle()

    expect(await site.lacksOf(`repository:hq/team/app ${client}`)).toBeGreaterThan(40_000)
  })

  it('get back once what they took, however often their job is put off', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a cluster'
    await site.ask(absent(3, { client }))
    site.runsHeld = 0

    await site.ask([miss('held', { client })])
    await eventually(() => Promise.resolve(site.runsHeld === 4))
    await site.idle()

    for (const key of [`repository:hq/team/app ${client}`, `source:edge ${client}`]) {
      expect(await site.lacksOf(key)).toBeGreaterThan(20_000)
      expect(await site.lacksOf(key)).toBeLessThanOrEqual(30_000)
    }
  })
})
