import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { inspectRaw, skopeo } from '../../support/images/skopeo.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

const ANY_INDEX = {
  accept:
    'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, */*',
}

/** What the upstream was asked about this tag, by HEAD and GET alike. */
function looks(site: Site, repository: string, tag: string) {
  return site.upstream.requests({
    path: new RegExp(`^/v2/${repository}/manifests/${tag}$`),
    userAgent: /^pullsync/,
  })
}

async function pull(host: string, repository: string, tag: string, method = 'GET') {
  const url = `http://${host}/v2/${repository}/manifests/${tag}`
  return await fetch(url, { method, headers: ANY_INDEX })
}

/** As a client that polls: it has that one already. */
async function pullUnless(digest: string, host: string, name: string) {
  const [repository = '', tag = ''] = name.split(':')
  const headers = { ...ANY_INDEX, 'if-none-match': `"${digest}"` }
  return await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers })
}

async function atRest(site: Site) {
  await eventually(async () => {
    const jobs = await site.jobs()
    return jobs.every(({ state }) => state === 'completed' || state === 'failed')
  })
}

describe('a tag that moves upstream without a word', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      upstream: { notifications: [] },
      project: '    onMiss: hold\n    revalidateAfter: 0s',
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('is noticed when somebody pulls it through the gateway, who gets what is here at once', async () => {
    const before = await site.publish('team/moved:1.0')
    await inspectRaw(`${site.gateway}/team/moved:1.0`)
    const after = await site.publish('team/moved:1.0', { layers: 3 })

    const pulled = await inspectRaw(`${site.gateway}/team/moved:1.0`)

    expect(pulled.bytes).toEqual(before.top.bytes)
    await arrives(site, 'team/moved:1.0', after)
  })

  it('is noticed when somebody asks whether it has moved, who has what is here', async () => {
    const before = await site.publish('team/polled:1.0')
    await inspectRaw(`${site.gateway}/team/polled:1.0`)
    const after = await site.publish('team/polled:1.0', { layers: 3 })

    // At first, how the copy ended answers for the tag.
    await eventually(async () => {
      const { status } = await pullUnless(before.top.digest, site.gateway, 'team/polled:1.0')
      return status === 200
    })

    await arrives(site, 'team/polled:1.0', after)
  })

  it('is noticed when the local registry tells of a pull', async () => {
    const before = await site.publish('team/told:1.0')
    await inspectRaw(`${site.gateway}/team/told:1.0`)
    const after = await site.publish('team/told:1.0', { layers: 3 })

    // Past the gateway: only the registry's own notification tells of it.
    const pulled = await inspectRaw(`${site.local.host}/team/told:1.0`)

    expect(pulled.bytes).toEqual(before.top.bytes)
    await arrives(site, 'team/told:1.0', after)
  })

  it('stays here when it is gone upstream', async () => {
    const image = await site.publish('team/gone:1.0')
    await inspectRaw(`${site.gateway}/team/gone:1.0`)
    await atRest(site)
    const there = `${site.upstream.url}/v2/team/gone/manifests/${image.top.digest}`
    expect((await fetch(there, { method: 'DELETE' })).status).toBe(202)

    await eventually(async () => {
      // Not at the first pull: for some seconds, how the copy ended answers for the tag.
      expect((await pull(site.gateway, 'team/gone', '1.0')).status).toBe(200)
      const jobs = await site.jobs('--match', 'team/gone*')
      return jobs.some(({ outcome }) => outcome?.kind === 'not-found')
    })
    expect(await digestAt(site.local, 'team/gone:1.0')).toBe(image.top.digest)
  })
})

describe('a tag that was looked up lately', () => {
  let site: Site
  let redis: Redis

  beforeAll(async () => {
    site = await startSite({
      upstream: { notifications: [] },
      throughLine: true,
      project: '    onMiss: hold\n    revalidateAfter: 1h',
    })
    redis = new Redis(site.redis.url)
  })

  afterAll(async () => {
    redis.disconnect()
    await site[Symbol.asyncDispose]()
  })

  it('costs upstream nothing; one that was not, one HEAD, however it is pulled', async () => {
    const image = await site.publish('team/fresh:1.0')
    await pull(site.gateway, 'team/fresh', '1.0')
    await atRest(site)
    const atFirst = looks(site, 'team/fresh', '1.0').length

    for (const host of [site.gateway, site.local.host, site.gateway]) {
      expect((await pull(host, 'team/fresh', '1.0')).status).toBe(200)
    }
    // As if an hour had passed.
    const keys = await redis.keys('pullsync:checked:team/fresh:1.0')
    expect(keys).toHaveLength(1)
    await eventually(async () => {
      await redis.del(...keys)
      await pull(site.local.host, 'team/fresh', '1.0')
      return (await site.jobs('--match', 'team/fresh*')).some(
        ({ request, outcome }) =>
          request.trigger === 'revalidate' && outcome?.kind === 'up-to-date',
      )
    })
    await atRest(site)
    const revalidations = (await site.jobs('--match', 'team/fresh*')).filter(
      ({ request }) => request.trigger === 'revalidate',
    )

    const after = looks(site, 'team/fresh', '1.0').slice(atFirst)
    expect(after.map(({ method }) => method)).toEqual(revalidations.map(() => 'HEAD'))
    expect(await digestAt(site.local, 'team/fresh:1.0')).toBe(image.top.digest)
  })

  it('was looked up when its copy began, not when that ended', async () => {
    await site.publish('team/slow:1.0', { layers: 1, layerBytes: 8_000_000 })
    site.line.hold(4_000_000)
    const pulled = pull(site.gateway, 'team/slow', '1.0')
    await eventually(() => site.line.held(), { describe: 'the copy to be under way' })
    const underWay = await redisTime(redis)
    // The job is told of the look's age: that may be late by what a busy machine takes, and no more.
    await eventually(async () => (await redisTime(redis)) > underWay + 2_000)
    const released = await redisTime(redis)

    site.line.release()
    expect((await pulled).status).toBe(200)
    await atRest(site)

    const lookedAt = Number(await redis.get('pullsync:checked:team/slow:1.0'))
    expect(lookedAt).toBeGreaterThan(underWay - 600_000)
    expect(lookedAt).toBeLessThan(released)
  })
})

/** Milliseconds since 1970 by Redis' own clock. */
async function redisTime(redis: Redis): Promise<number> {
  const [seconds = 0, micros = 0] = await redis.time()
  return seconds * 1_000 + Math.floor(micros / 1_000)
}

describe.each(['stream', 'hold'])('a tag that is checked before it is served, with %s', (mode) => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      upstream: { notifications: [] },
      // It would ask for looks of its own.
      local: { notifications: [] },
      throughLine: true,
      project: `    onMiss: ${mode}\n    onHit: check\n    revalidateAfter: 0s`,
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('is the new one for the first who pulls it after it has moved', async () => {
    await site.publish('team/moved:1.0')
    await inspectRaw(`${site.gateway}/team/moved:1.0`)
    await atRest(site)
    const after = await site.publish('team/moved:1.0', { layers: 3 })

    const pulled = await skopeo([
      ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${site.gateway}/team/moved:1.0`, `dir:${after.folder}/pulled`],
    ])

    expect(pulled).toMatchObject({ code: 0 })
    const manifest = await readFile(`${after.folder}/pulled/manifest.json`)
    expect(manifest).toEqual(after.top.bytes)
    await arrives(site, 'team/moved:1.0', after)
  })

  it('is the new one for the first who asks whether it has moved', async () => {
    const before = await site.publish('team/polled:1.0')
    await inspectRaw(`${site.gateway}/team/polled:1.0`)
    await atRest(site)
    const after = await site.publish('team/polled:1.0', { layers: 3 })

    const pulled = await pullUnless(before.top.digest, site.gateway, 'team/polled:1.0')

    expect(pulled.status).toBe(200)
    expect(Buffer.from(await pulled.arrayBuffer())).toEqual(after.top.bytes)
  })

  it('is the new one for who asks by HEAD and then by digest', async () => {
    await site.publish('team/resolved:1.0')
    await inspectRaw(`${site.gateway}/team/resolved:1.0`)
    await atRest(site)
    const after = await site.publish('team/resolved:1.0', { layers: 3 })
    const url = `http://${site.gateway}/v2/team/resolved/manifests`

    const head = await fetch(`${url}/1.0`, { method: 'HEAD', headers: ANY_INDEX })
    const digest = head.headers.get('docker-content-digest') ?? ''
    const got = await fetch(`${url}/${digest}`, { headers: ANY_INDEX })

    expect(digest).toBe(after.top.digest)
    expect(Buffer.from(await got.arrayBuffer())).toEqual(after.top.bytes)
    await arrives(site, 'team/resolved:1.0', after)
  })

  it('costs one HEAD when it has not moved', async () => {
    await site.publish('team/same:1.0')
    await inspectRaw(`${site.gateway}/team/same:1.0`)
    await atRest(site)
    // Else the memory of the copy would answer a second look, if that has not lapsed yet.
    const redis = new Redis(site.redis.url)
    await redis.del('pullsync:hq:de:team/same:1.0')
    redis.disconnect()
    const before = looks(site, 'team/same', '1.0').length

    await pull(site.gateway, 'team/same', '1.0')

    // A pull that misses, and its job, come after all that the one before has asked for.
    const later = await site.publish('team/later:1.0')
    await pull(site.gateway, 'team/later', '1.0')
    await arrives(site, 'team/later:1.0', later)
    await atRest(site)
    expect(looks(site, 'team/same', '1.0')).toHaveLength(before + 1)
  })

  it('is what is here while upstream says nothing', async () => {
    const image = await site.publish('team/silent:1.0')
    await inspectRaw(`${site.gateway}/team/silent:1.0`)
    await atRest(site)
    await site.publish('team/silent:1.0', { layers: 3 })
    site.line.hold(0)

    const pulled = await inspectRaw(`${site.gateway}/team/silent:1.0`)

    site.line.release()
    expect(pulled.bytes).toEqual(image.top.bytes)
  })

  it('stays what was pushed here while the new one was on its way', async () => {
    await site.publish('team/raced:1.0')
    await inspectRaw(`${site.gateway}/team/raced:1.0`)
    await atRest(site)
    await site.publish('team/raced:1.0', { layers: 1, layerBytes: 8_000_000 })
    await using mine = await buildImage()
    site.line.hold(4_000_000)

    const head = await pull(site.gateway, 'team/raced', '1.0', 'HEAD')
    expect(head.status).toBe(200)
    await eventually(() => site.line.held(), { describe: 'the copy to be under way' })
    await pushOverHttp(mine, { url: site.local.url, repository: 'team/raced', tag: '1.0' })
    site.line.release()

    await atRest(site)
    expect(await digestAt(site.local, 'team/raced:1.0')).toBe(mine.top.digest)
  })
})

it('is looked up in the registry that the client means, and in no other', async () => {
  await using lab = await startRegistry()
  await using site = await startSite({
    upstream: { notifications: [] },
    local: { notifications: [] },
    upstreamConfig: `  lab:\n    url: ${lab.url}`,
    project: '  - name: both\n    upstream: [hq, lab]\n    onMiss: hold\n    revalidateAfter: 0s',
  })
  await site.publish('both/app:1.0')
  await using meant = await buildImage()
  await pushOverHttp(meant, { url: lab.url, repository: 'both/app', tag: '1.0' })
  const url = `http://${site.gateway}/v2/both/app/manifests/1.0?ns=${lab.host}`
  const digestOfPull = async () => {
    const answer = await fetch(url, { headers: ANY_INDEX })
    return answer.headers.get('docker-content-digest')
  }
  expect(await digestOfPull()).toBe(meant.top.digest)

  // The memory of the copy ends; each of these pulls asks for a look.
  await eventually(async () => {
    expect(await digestOfPull()).toBe(meant.top.digest)
    return (await site.jobs('--match', 'both/*')).length > 1
  })

  await atRest(site)
  expect(await digestOfPull()).toBe(meant.top.digest)
  expect(await loggedRequests(site.upstream, { path: /both/, userAgent: /^pullsync/ }, 0)).toEqual(
    [],
  )
})
