import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Repository } from '../../../src/oci/reference.ts'
import { isLimited } from '../../../src/queue/enqueued.ts'
import { eventually } from '../../support/eventually.ts'
import { absent, LARGE, miss, missesSite, type MissesSite, SLOW } from './misses-site.ts'

describe('misses that bring nothing', () => {
  let site: MissesSite

  beforeEach(async () => {
    site = await missesSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('are held back once their repository has asked for as many as its bucket holds', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })

    expect(await site.ask(absent(4))).toEqual(Array.from({ length: 4 }, () => 'queued'))

    expect(await site.offered(miss('absent-4'))).toBe('repository-limited')
    expect(await site.offered(miss('absent-5', { source: 'gateway' }))).toBe('repository-limited')
    expect(await site.offered(miss('1.0', { repository: 'team/b' as Repository }))).toBe('queued')
    expect(await site.offered(miss('1.0', { upstreams: ['lab'] }))).toBe('queued')
  })

  it('are counted for each client of a source, where it tells them apart', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })

    await site.ask(absent(4, { client: 'a scanner' }))

    expect(await site.offered(miss('1.0', { client: 'a scanner' }))).toBe('repository-limited')
    const elsewhere = { client: 'a scanner', repository: 'team/b' as Repository }
    expect(await site.offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await site.offered(miss('1.0', { client: 'another' }))).toBe('queued')
    expect(await site.offered(miss('2.0'))).toBe('queued')
  })

  it('are let in, of one client, up to what its bucket holds, and cost nothing when upstream has it', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })
    const client = 'a cluster'

    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => site.offered(miss(`v${n}`, { client }))),
    )

    expect(answers.filter((answer) => answer === 'queued')).toHaveLength(4)
    expect(answers.filter((answer) => answer === 'repository-limited')).toHaveLength(2)
    await site.idle()
    await eventually(async () => (await site.lacksOf(`repository:hq/team/app ${client}`)) === -2)
  })

  it('are one job when many clients miss the same at once, but for those that are held back', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })
    await site.ask(absent(4, { client: 'client 0' }))

    const answers = await site.queues.offer(
      Array.from({ length: 100 }, (_, i) => miss('endless', { client: `client ${i}` })),
    )

    expect(answers[0]).toEqual({ limited: 'repository-limited' })
    const queued = answers.flatMap((answer) => (isLimited(answer) ? [] : [answer]))
    expect(queued).toHaveLength(99)
    expect(new Set(queued.map(({ jobId }) => jobId)).size).toBe(1)
    expect(queued.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
  })

  it('have turns, one each second, whatever the bucket owes, and no more than two seconds of them', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })
    await site.ask(absent(4))

    const waits = [1, 2, 3, 4].map((n) =>
      site.queues.limits.turn(miss(`absent-${n}`), 'repository-limited'),
    )

    const [first, second, third, fourth] = await Promise.all(waits)
    expect(first).toBe(0)
    expect(second).toBeGreaterThan(0)
    expect(second).toBeLessThanOrEqual(1_000)
    expect(third).toBeGreaterThan(second ?? 0)
    expect(third).toBeLessThanOrEqual(2_000)
    expect(fourth).toBeUndefined()
  })

  it('are held back once their source has, in whatever repositories', async () => {
    await site.start({ perSource: SLOW, perRepository: LARGE })
    const repositories = ['a', 'b', 'c', 'd'].map((name) => `team/${name}` as Repository)

    await site.ask(repositories.map((repository) => miss('absent', { repository })))

    expect(await site.offered(miss('1.0'))).toBe('source-limited')
    expect(await site.offered(miss('1.0', { source: 'gateway' }))).toBe('queued')
  })

  it('are known to every process, at once', async () => {
    const limits = { perSource: LARGE, perRepository: SLOW }
    await site.start(limits)
    await site.ask(absent(4))
    const another = await site.openQueues(limits)

    expect(await site.offered(miss('absent-9'), another)).toBe('repository-limited')
  })

  it('are asked for again when tokens are back', async () => {
    await site.start({ perSource: LARGE, perRepository: { burst: 2, perSecond: 0.5 } })
    await site.ask(absent(2))
    expect(await site.offered(miss('absent-8'))).toBe('repository-limited')

    await eventually(async () => (await site.offered(miss('1.0'))) === 'queued')

    expect(await site.lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(2_000)
  })

  it('leave nothing in Redis once the buckets are full again', async () => {
    await site.start({ perSource: LARGE, perRepository: { burst: 20, perSecond: 20 } })
    await site.ask(absent(3))
    expect(await site.lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(150)

    await eventually(async () => (await site.lacksOf('repository:hq/team/app')) === -2)
  })

  it('owe a bucket at the most when many were queued before it was empty', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })

    await site.queues.offer(absent(100))
    await site.idle()

    expect(await site.lacksOf('repository:hq/team/app')).toBeGreaterThan(40_000)
    expect(await site.lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(80_000)
    // The source does not pay for what one repository brings on top.
    expect(await site.lacksOf('source:edge')).toBeLessThanOrEqual(4_000)
  })
})
