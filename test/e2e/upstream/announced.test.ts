import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

describe('what upstream announces, where everything new is wanted', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({ project: '    onUpstreamPush: always' })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  /** How many events of upstream's were ignored for this reason. */
  async function ignored(reason: string): Promise<number> {
    const text = await (await fetch(`${site.admin}/metrics`)).text()
    const line = `pullsync_events_ignored_total\\{source="hq-push",reason="${reason}"\\} (\\d+)`
    return Number(new RegExp(line).exec(text)?.[1] ?? 0)
  }

  it('is one job of a multi-arch push, whose children come first and one by one', async () => {
    const before = await ignored('nothing-named')

    const image = await site.publish('team/lander:1.0')

    const children = image.manifests.filter(({ digest }) => digest !== image.top.digest)
    expect(children.length).toBeGreaterThan(1)
    await arrives(site, 'team/lander:1.0', image)
    const jobs = await eventually(async () => {
      const found = await site.jobs('--match', 'team/lander*')
      return found.every(({ outcome }) => outcome !== undefined) && found
    })
    expect(jobs).toMatchObject([
      { image: 'team/lander:1.0', request: { trigger: 'push' }, outcome: { kind: 'copied' } },
    ])
    await eventually(async () => (await ignored('nothing-named')) >= before + children.length)
  })

  it('is nothing where it was pushed by digest alone', async () => {
    await using image = await buildImage({ index: false })
    const before = await ignored('nothing-named')
    const reference = image.top.digest

    await pushOverHttp(image, { url: site.upstream.url, repository: 'team/bare', tag: reference })

    await eventually(async () => (await ignored('nothing-named')) > before)
    expect(await site.jobs('--match', 'team/bare*')).toEqual([])
    expect(await digestAt(site.local, `team/bare@${reference}`)).toBeUndefined()
  })
})

it('each tag of one delivery is copied by its digest, and then tagged', async () => {
  // The registry itself tells of one tag in each delivery; the format allows several.
  await using site = await startSite({
    upstream: { notifications: [] },
    project: '    onUpstreamPush: always',
  })
  await using first = await buildImage({ index: false })
  await using second = await buildImage()
  const repository = 'team/probe'
  const tagged = [
    ['1.0', first],
    ['latest', first],
    ['2.0', second],
  ] as const
  for (const [tag, image] of tagged) {
    await pushOverHttp(image, { url: site.upstream.url, repository, tag })
  }
  const events = tagged.map(([tag, image]) => ({
    ...{ id: tag, action: 'push', target: { repository, tag, digest: image.top.digest } },
  }))

  const answer = await site.post('hq-push', { events })

  expect(answer.body).toEqual({ accepted: 3, ignored: 0, duplicates: 0 })
  for (const [tag, image] of tagged) await arrives(site, `${repository}:${tag}`, image)
  // A registry's log may be a moment behind its answers.
  await eventually(() => paths(site.local, 'PUT', /\/manifests\/2\.0$/).length > 0)
  await eventually(() => paths(site.upstream, 'GET', new RegExp(first.top.digest)).length > 0)
  const gets = paths(site.upstream, 'GET', /^\/v2\/team\/probe\/manifests\//)
  expect(gets.filter((path) => !path.includes('/manifests/sha256'))).toEqual([])
  const puts = paths(site.local, 'PUT', /^\/v2\/team\/probe\//)
  const digests = [...second.blobs, ...second.manifests.slice(0, -1)].map(({ digest }) => digest)
  const tag = puts.findIndex((path) => path.endsWith('/manifests/2.0'))
  for (const digest of digests) {
    const put = puts.findIndex((path) => decodeURIComponent(path).includes(digest))
    expect([digest, put >= 0 && put < tag]).toEqual([digest, true])
  }
})

function paths(registry: TestRegistry, method: string, path: RegExp): readonly string[] {
  return registry.requests({ method, path }).map((request) => request.path)
}
