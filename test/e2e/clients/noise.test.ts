import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MANIFEST_ACCEPT } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { inLanes } from '../../support/process/lanes.ts'
import { arrives, type Site, startSite } from '../site.ts'

const ASKED = 200
const BURST = 20
/** A scanner's requests: each that is under way when the bucket becomes empty comes on top. */
const AT_ONCE = 8

describe('a scanner that asks for what upstream does not have', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      // What an upstream has announced a moment ago would pass without being looked for.
      upstream: { notifications: [] },
      project: '    onMiss: hold\n    holdFor: 15s',
      jobs: `misses: { perRepository: { burst: ${BURST}, perSecond: 1 } }`,
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  function urlOf(repository: string, reference: string): string {
    return `http://${site.gateway}/v2/${repository}/manifests/${reference}`
  }

  /** From an address of its own; the answer's status. */
  async function askFrom(localAddress: string, url: string): Promise<number | undefined> {
    const asking = request(url, { localAddress, headers: { accept: MANIFEST_ACCEPT } }).end()
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }

  /** How many made-up tags of the repository upstream was asked for, at all or before it was for that tag. */
  function madeUpOf(repository: string): number {
    return [...askedOf(repository)].filter((path) => path.includes('/absent-')).length
  }

  function madeUpBefore(repository: string, tag: string): number {
    const paths = [...askedOf(repository)]
    const at = paths.findIndex((path) => path.endsWith(`/${tag}`))
    return paths.slice(0, at).filter((path) => path.includes('/absent-')).length
  }

  /** Asks for one tag after the other; gives back how many seconds that took. */
  async function scan(repository: string, method: 'GET' | 'HEAD'): Promise<number> {
    const startedAt = performance.now()
    for (let i = 0; i < ASKED; i += 1) {
      const { status } = await fetch(urlOf(repository, `absent-${i}`), { method })
      expect(status).toBe(404)
    }
    return secondsSince(startedAt)
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
    const limited = await counted('gateway', 'repository-limited')
    const seconds = await scan('team/scanned', 'GET')

    const passed = ASKED - ((await counted('gateway', 'repository-limited')) - limited)
    expect(passed).toBeGreaterThanOrEqual(BURST)
    expect(passed).toBeLessThanOrEqual(BURST + seconds + 1)
    await eventually(() => askedOf('team/scanned').size === passed)
  })

  it('does not either by HEAD, for which there are no jobs', async () => {
    const seconds = await scan('team/probed', 'HEAD')

    await eventually(() => askedOf('team/probed').size >= BURST)
    expect(askedOf('team/probed').size).toBeLessThanOrEqual(BURST + seconds + 1)
  })

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
  })

  it('takes nothing from another client, nor from its own, in the same repository', async () => {
    const images = [await site.publish('team/shared:1.0'), await site.publish('team/shared:2.0')]
    const made = Array.from({ length: 500 }, (_, i) => `absent-${i}`)
    const limited = await counted('gateway', 'repository-limited')
    const startedAt = performance.now()
    const scanned = inLanes(made, AT_ONCE, async (tag) => {
      expect(await askFrom('127.0.0.1', urlOf('team/shared', tag))).toBe(404)
    })
    await eventually(
      async () => (await counted('gateway', 'repository-limited')) > limited + AT_ONCE,
      { describe: "the scanner's bucket to be empty" },
    )
    const before = madeUpOf('team/shared')
    const askedAt = performance.now()

    const wanted = await Promise.all([
      askFrom('127.0.0.2', urlOf('team/shared', '1.0')),
      askFrom('127.0.0.1', urlOf('team/shared', '2.0')),
    ])

    expect(wanted).toEqual([200, 200])
    // What the scanner may ask for meanwhile, and what was under way.
    const waited = secondsSince(askedAt)
    for (const tag of ['1.0', '2.0']) {
      expect(madeUpBefore('team/shared', tag)).toBeLessThanOrEqual(before + AT_ONCE + waited + 1)
    }
    await scanned
    const seconds = secondsSince(startedAt)
    expect(madeUpOf('team/shared')).toBeLessThanOrEqual(BURST + AT_ONCE + seconds + 1)
    for (const [at, image] of images.entries())
      await arrives(site, `team/shared:${at + 1}.0`, image)
  })

  it('gets what it names by digest in its turn, once it has stopped', async () => {
    const image = await site.publish('team/pinned:1.0')
    await scan('team/pinned', 'HEAD')

    expect(await askFrom('127.0.0.1', urlOf('team/pinned', image.top.digest))).toBe(200)
  })

  it('is told why by the webhook, and a person is not held back', async () => {
    const image = await site.publish('team/told:1.0')
    const limited = await counted('miss', 'repository-limited')
    await site.miss('team/told', 'absent')

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
    expect(await counted('miss', 'repository-limited')).toBe(limited + 1)
    expect((await site.serve.run(['sync', 'team/told:1.0', '--wait'])).code).toBe(0)
    await arrives(site, 'team/told:1.0', image)
  })

  it('is not looked for while Redis is away: the registry answers', async () => {
    await site.publish('team/head:1.0')
    await site.redis.stop()

    // Nobody knows then whether the registry's policies decide on this project.
    expect((await fetch(urlOf('team/head', '1.0'), { method: 'HEAD' })).status).toBe(404)
    expect((await fetch(urlOf('team/head', 'absent'), { method: 'HEAD' })).status).toBe(404)
    expect((await fetch(urlOf('team/head', 'absent'))).status).toBe(404)
    expect((await site.miss('team/head', 'absent')).status).toBe(503)

    await site.redis.start()
    await eventually(async () => (await site.miss('team/head', 'other')).status === 202)
  })
})

function secondsSince(startedAt: number): number {
  return Math.ceil((performance.now() - startedAt) / 1_000)
}
