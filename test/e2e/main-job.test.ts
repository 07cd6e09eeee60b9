import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { loggedRequests } from '../support/registry/logged-requests.ts'
import { inspectRaw, skopeo } from '../support/images/skopeo.ts'
import { pushImage } from '../support/images/push-image.ts'
import { buildImage, type BuiltImage } from '../support/images/image.ts'
import { arrives, digestAt, type Site, startSite } from './site.ts'

const BASE = { seed: 'many', layers: 2 }

/** Of the whole blob: whether upstream has what is here already, one byte of it proves. */
async function blobGets(site: Site, digest: string) {
  const path = new RegExp(`/blobs/${digest}$`)
  return await loggedRequests(site.upstream, { method: 'GET', path, status: 200 })
}

describe('the main job', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({ workers: 2, throughLine: true })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('brings a missing multi-arch image byte-exact, so that the next pull succeeds', async () => {
    await using image = await buildImage({ layers: 3 })
    await pushImage(image, `${site.upstream.host}/team/hello:1.0`)
    const name = `${site.local.host}/team/hello`
    const first = await skopeo(['inspect', '--raw', '--tls-verify=false', `docker://${name}:1.0`])
    expect(first.code).not.toBe(0)

    expect(await site.miss('team/hello', '1.0')).toEqual({
      status: 202,
      body: { accepted: 1, ignored: 0, duplicates: 0 },
    })
    await arrives(site, 'team/hello:1.0', image)

    expect((await inspectRaw(`${name}:1.0`)).bytes).toEqual(image.top.bytes)
    for (const child of image.manifests.filter(({ digest }) => digest !== image.top.digest)) {
      expect((await inspectRaw(`${name}@${child.digest}`)).bytes).toEqual(child.bytes)
    }
    const pulled = await skopeo([
      ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${name}:1.0`, `dir:${image.folder}/pulled`],
    ])
    expect(pulled).toMatchObject({ code: 0 })
  })

  it('follows a tag that moved upstream, told by the upstream registry itself', async () => {
    const first = await site.publish('team/moving:latest')
    await site.miss('team/moving', 'latest')
    await arrives(site, 'team/moving:latest', first)

    const second = await site.publish('team/moving:latest')

    await arrives(site, 'team/moving:latest', second)
  })

  it('fetches nothing new because of an upstream push', async () => {
    await site.publish('team/unwanted:1.0')

    await eventually(async () => {
      const [job] = await site.jobs('--match', 'team/unwanted:1.0')
      return job?.outcome?.kind === 'refused'
    })
    expect(await digestAt(site.local, 'team/unwanted:1.0')).toBeUndefined()
  })

  it('makes one job and one upstream GET of the same miss posted 500 times at once', async () => {
    const image = await site.publish('team/herd:1.0', { index: false })

    // It ends no sooner than all have been posted.
    site.line.hold(0)
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => site.miss('team/herd', '1.0')),
    )
    site.line.release()
    await arrives(site, 'team/herd:1.0', image)

    expect(answers.every(({ status }) => status === 202)).toBe(true)
    const accepted = answers.map(({ body }) => (body as { accepted: number }).accepted)
    expect(accepted.reduce((sum, n) => sum + n)).toBe(1)
    const misses = (await site.jobs('--match', 'team/herd:1.0')).filter(
      ({ request }) => request.trigger === 'miss',
    )
    expect(misses).toHaveLength(1)
    const gets = { method: 'GET', path: /^\/v2\/team\/herd\/manifests\/(?!sha256-)/ }
    await eventually(() => site.upstream.requests(gets).length > 0)
    expect(await loggedRequests(site.upstream, gets)).toHaveLength(1)
  })

  it('brings 100 different images missed at once, shared blobs fetched once over all workers', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `team/many-${n % 10}:v${n}`)
    const images: BuiltImage[] = []
    for (const name of names) {
      images.push(await site.publish(name, { index: false, layers: 1, base: BASE }))
    }

    await Promise.all(names.map((name) => site.miss(...(name.split(':') as [string, string]))))
    // One after another: a hundred that ask at once are load, and each of their requests makes an event.
    for (const [n, image] of images.entries()) await arrives(site, names[n] ?? '', image)

    const misses = (await site.jobs('--match', 'team/many-*', '--limit', '1000')).filter(
      ({ request }) => request.trigger === 'miss',
    )
    expect(misses).toHaveLength(100)
    const gets = { method: 'GET', path: /^\/v2\/team\/many-\d\/manifests\/v/, status: 200 }
    // On a busy machine a job may have to make way for others once, and asks again when it is tried again.
    const attempts = misses.reduce((sum, { attemptsMade }) => sum + attemptsMade, 0)
    expect(await loggedRequests(site.upstream, gets, attempts)).toHaveLength(attempts)
    const base = await site.publish('team/later:1.0', { index: false, layers: 0, base: BASE })
    const shared = base.blobs.filter(({ mediaType }) => mediaType.includes('layer'))
    await site.miss('team/later', '1.0')
    await arrives(site, 'team/later:1.0', base)
    for (const { digest } of shared) {
      expect(await blobGets(site, digest)).toHaveLength(1)
    }
  })

  it('answers not-found at once and asks upstream nothing again within 30 s', async () => {
    await site.miss('team/nowhere', '1.0')
    const [job] = await eventually(async () => {
      const found = await site.jobs('--match', 'team/nowhere:1.0', '--state', 'completed')
      return found.length > 0 && found
    })
    expect(job).toMatchObject({ attemptsMade: 1, outcome: { kind: 'not-found' } })
    const asked = { path: /\/team\/nowhere\// }
    const before = site.upstream.requests(asked).length

    const again = await site.miss('team/nowhere', '1.0')

    expect(again.body).toEqual({ accepted: 0, ignored: 0, duplicates: 1 })
    expect(await site.jobs('--match', 'team/nowhere:1.0')).toHaveLength(1)
    expect(site.upstream.requests(asked)).toHaveLength(before)
  })

  it('ignores what its own copies make the local registry say', async () => {
    const image = await site.publish('team/echo:1.0')
    await site.miss('team/echo', '1.0')
    await arrives(site, 'team/echo:1.0', image)

    await eventually(async () => {
      const metrics = await (await fetch(`${site.admin}/metrics`)).text()
      return /pullsync_events_ignored_total\{source="edge",reason="own-activity"\} [1-9]/.test(
        metrics,
      )
    })
    // The upstream tells of its push in its own time.
    const jobs = await eventually(async () => {
      const found = await site.jobs('--match', 'team/echo:1.0')
      return found.length > 1 && found
    })
    expect(jobs.map(({ request }) => request.trigger).toSorted()).toEqual(['miss', 'push'])
  })
})
