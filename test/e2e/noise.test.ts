import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { arrives, type Site, startSite } from './site.ts'

const ASKED = 200
const BURST = 20

describe('a scanner that asks for what upstream does not have', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      project: '    onMiss: hold\n    holdFor: 15s',
      jobs: `misses: { perRepository: { burst: ${BURST}, perSecond: 1 } }`,
    })
  }, 60_000)

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  function urlOf(repository: string, reference: string): string {
    return `http://${site.gateway}/v2/${repository}/manifests/${reference}`
  }

  /** Asks for one tag after the other; gives back how many seconds that took. */
  async function scan(repository: string, method: 'GET' | 'HEAD'): Promise<number> {
    const startedAt = performance.now()
    for (let i = 0; i < ASKED; i += 1) {
      const { status } = await fetch(urlOf(repository, `absent-${i}`), { method })
      expect(status).toBe(404)
    }
    return Math.ceil((performance.now() - startedAt) / 1_000)
  }

  /** The tags that upstream was asked for. */
  function askedOf(repository: string): ReadonlySet<string> {
    const requests = site.upstream.requests({ path: new RegExp(`^/v2/${repository}/manifests/`) })
    return new Set(requests.map(({ path }) => path))
  }

  async function counted(source: string, reason: string): Promise<number> {
    const text = await (await fetch(`${site.admin}/metrics`)).text()
    const line = `pullsync_events_ignored_total{source="${source}",reason="${reason}"} (\\d+)`
    return Number(new RegExp(line).exec(text)?.[1] ?? 0)
  }

  it('reaches upstream about as often as the bucket of its repository allows', async () => {
    const seconds = await scan('team/scanned', 'GET')

    const asked = askedOf('team/scanned').size
    expect(asked).toBeGreaterThanOrEqual(BURST)
    expect(asked).toBeLessThanOrEqual(BURST + seconds + 1)
    expect(await counted('gateway', 'repository-limited')).toBe(ASKED - asked)
  }, 60_000)

  it('does not either by HEAD, for which there are no jobs', async () => {
    const seconds = await scan('team/probed', 'HEAD')

    const asked = askedOf('team/probed').size
    expect(asked).toBeGreaterThanOrEqual(BURST)
    expect(asked).toBeLessThanOrEqual(BURST + seconds + 1)
  }, 60_000)

  it('holds up nobody who asks for what is there in another repository', async () => {
    await scan('team/noisy', 'HEAD')
    const image = await site.publish('team/wanted:1.0')
    const reported = await site.publish('team/reported:1.0')

    const headers = { accept: image.top.mediaType }
    expect((await fetch(urlOf('team/wanted', '1.0'), { headers })).status).toBe(200)
    expect((await site.miss('team/reported', '1.0')).body).toEqual({
      ...{ accepted: 1, ignored: 0, duplicates: 0 },
    })
    await arrives(site, 'team/wanted:1.0', image)
    await arrives(site, 'team/reported:1.0', reported)
  }, 60_000)

  it('is told why by the webhook, and a person is not held back', async () => {
    const image = await site.publish('team/told:1.0')
    await scan('team/told', 'HEAD')

    let asked = 0
    // A token can have come back in this very moment.
    const told = await eventually(async () => {
      const answer = await site.miss('team/told', `absent-too-${(asked += 1)}`)
      return JSON.stringify(answer.body).includes('limited') && answer
    })

    expect(told).toEqual({
      status: 202,
      body: { accepted: 0, ignored: 1, duplicates: 0, limited: { 'repository-limited': 1 } },
    })
    expect(await counted('miss', 'repository-limited')).toBe(1)
    expect((await site.serve.run(['sync', 'team/told:1.0', '--wait'])).code).toBe(0)
    await arrives(site, 'team/told:1.0', image)
  }, 60_000)

  it('is not looked for while Redis is away: upstream answers as ever', async () => {
    await site.publish('team/head:1.0')
    await site.redis.stop()

    expect((await fetch(urlOf('team/head', '1.0'), { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(urlOf('team/head', 'absent'), { method: 'HEAD' })).status).toBe(404)
    expect((await fetch(urlOf('team/head', 'absent'))).status).toBe(404)
    expect((await site.miss('team/head', 'absent')).status).toBe(503)

    await site.redis.start()
    await eventually(async () => (await site.miss('team/head', 'other')).status === 202)
  })
})
