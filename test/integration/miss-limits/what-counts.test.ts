import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { QueueUnavailableError } from '../../../src/pool/redis-errors.ts'
import { LIMIT_PREFIX } from '../../../src/pool/miss-limits.ts'
import { absent, JOBS, LARGE, miss, missesSite, type MissesSite, SLOW } from './misses-site.ts'

describe('misses that bring nothing', () => {
  let site: MissesSite

  beforeEach(async () => {
    site = await missesSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('are no reason to hold back an image that is on its way, or has just come', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })
    await site.ask([miss('1.0')])
    await site.queues.offer([miss('endless')])
    for (const request of absent(4)) await site.queues.limits.take(request)

    expect(await site.offered(miss('endless'))).toBe('duplicate')
    expect(await site.offered(miss('1.0'))).toBe('duplicate')
    expect(await site.offered(miss('2.0'))).toBe('repository-limited')
  })

  it('hold back misses alone', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    await site.ask(absent(4))

    const others = ['manual', 'push', 'delete', 'revalidate', 'resync'] as const
    const answers = others.map((trigger) => site.offered(miss(`of-${trigger}`, { trigger })))

    expect(await Promise.all(answers)).toEqual(others.map(() => 'queued'))
    expect(await site.queues.enqueue([miss('by-hand')])).toMatchObject([{ duplicate: false }])
  })

  it('are not what others bring, and not what ends in any other way', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const others = ['manual', 'push', 'revalidate', 'resync'] as const

    await site.ask(others.map((trigger) => miss(`absent-${trigger}`, { trigger })))
    await site.ask(
      ['failing-1', 'failing-2', 'refused-1', 'refused-2', '1.0'].map((tag) => miss(tag)),
    )

    expect(await site.queues.redis.keys(`${LIMIT_PREFIX}*`)).toEqual([])
  })

  it('are not a thousand misses of what upstream has', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    const wanted = Array.from({ length: 1_000 }, (_, i) => miss(`v${i}`))

    const answers = await Promise.all(wanted.map((request) => site.offered(request)))
    await site.idle()

    expect(answers.filter((answer) => answer !== 'queued')).toEqual([])
    expect(await site.queues.redis.keys(`${LIMIT_PREFIX}*`)).toEqual([])
    expect(await site.offered(miss('one-more'))).toBe('queued')
  })

  it('are judged by the limits of this moment', async () => {
    await site.start({ perSource: LARGE, perRepository: SLOW })
    await site.ask(absent(4))
    expect(await site.offered(miss('absent-9'))).toBe('repository-limited')

    site.queues.configure(['hq', 'lab'], {
      ...{ jobs: JOBS, misses: { perSource: LARGE, perRepository: LARGE } },
    })

    expect(await site.offered(miss('absent-9'))).toBe('queued')
  })

  it('cost what is no miss nothing, and are not queued while Redis is away', async () => {
    await site.start({ perSource: SLOW, perRepository: SLOW })
    await site.redis.stop()

    expect(await site.queues.limits.check([miss('1.0', { trigger: 'push' })])).toEqual([undefined])
    await expect(site.queues.offer([miss('1.0')])).rejects.toThrow(QueueUnavailableError)
  })
})
