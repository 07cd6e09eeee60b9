import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { lacking } from '../../support/images/held-whole.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushImage } from '../../support/images/push-image.ts'
import { inspectRaw, skopeo } from '../../support/images/skopeo.ts'
import { digestAt, postTo, type Site, startSite } from '../site.ts'

/** As containerd asks before a pull. */
const ANYTHING = {
  accept:
    'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*',
}
const ANY_INDEX = { accept: 'application/vnd.oci.image.index.v1+json' }

/** But for the looks whether something refers to the image. */
function manifestGets(site: Site, repository: string) {
  return site.upstream.requests({
    method: 'GET',
    path: new RegExp(`^/v2/${repository}/manifests/(?!sha256-)[^/]+$`),
  })
}

/** Publishing made jobs too: the upstream announces every push. */
async function missJobs(site: Site, repository: string) {
  const jobs = await site.jobs('--match', `${repository}*`)
  return jobs.filter(({ request }) => request.trigger === 'miss')
}

describe('the gateway, holding clients', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({ workers: 2, project: '    onMiss: hold\n    holdFor: 15s' })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('makes the very first pull of a missing multi-arch image work', async () => {
    const image = await site.publish('team/hello:1.0', { layers: 3 })

    const pulled = await skopeo([
      ...['copy', '--all', '--preserve-digests', '--src-tls-verify=false'],
      ...[`docker://${site.gateway}/team/hello:1.0`, `dir:${image.folder}/pulled`],
    ])

    expect(pulled).toMatchObject({ code: 0 })
    expect((await inspectRaw(`${site.local.host}/team/hello:1.0`)).bytes).toEqual(image.top.bytes)
  })

  it('does so by digest', async () => {
    const image = await site.publish('team/by-digest:1.0')

    const got = await inspectRaw(`${site.gateway}/team/by-digest@${image.top.digest}`)

    expect(got.bytes).toEqual(image.top.bytes)
  })

  it('answers a HEAD from what upstream says, and copies nothing before the GET', async () => {
    const image = await site.publish('team/resolved:1.0')
    const url = `http://${site.gateway}/v2/team/resolved/manifests`

    const head = await fetch(`${url}/1.0`, { method: 'HEAD', headers: ANYTHING })

    expect(head.status).toBe(200)
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'docker-content-digest': image.top.digest,
      'content-type': image.top.mediaType,
      'content-length': String(image.top.bytes.length),
    })
    expect(await missJobs(site, 'team/resolved')).toEqual([])

    // As containerd goes on: by the digest that it was told. The tag comes with it.
    const got = await fetch(`${url}/${image.top.digest}`, { headers: ANY_INDEX })

    expect(got.status).toBe(200)
    expect(Buffer.from(await got.arrayBuffer())).toEqual(image.top.bytes)
    expect(await digestAt(site.local, 'team/resolved:1.0')).toBe(image.top.digest)
  })

  it('asks upstream once for any number of clients', async () => {
    const image = await site.publish('team/herd:1.0', { layers: 2 })

    const pulls = Array.from({ length: 64 }, async () => {
      const response = await fetch(`http://${site.gateway}/v2/team/herd/manifests/1.0`, {
        headers: ANY_INDEX,
      })
      const body = Buffer.from(await response.arrayBuffer())
      return response.ok ? digestOf(body) : `${response.status} ${body.toString()}`
    })

    expect(new Set(await Promise.all(pulls))).toEqual(new Set([image.top.digest]))
    expect(manifestGets(site, 'team/herd')).toHaveLength(1 + (image.manifests.length - 1))
    for (const { digest } of image.blobs) {
      const path = new RegExp(`/blobs/${digest}$`)
      expect(await loggedRequests(site.upstream, { method: 'GET', path })).toHaveLength(1)
    }
  })

  it("gives the registry's own 404 for what upstream does not have, and for other projects", async () => {
    const own = await fetch(`${site.local.url}/v2/team/nothing/manifests/1.0`)
    for (const repository of ['team/nothing', 'other/app']) {
      const response = await fetch(`http://${site.gateway}/v2/${repository}/manifests/1.0`)
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toBe(own.headers.get('content-type'))
      expect(await response.json()).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] })
    }
    expect(await loggedRequests(site.upstream, { path: /other/ }, 0)).toEqual([])
  })

  it('does not take a manifest in a form that the client does not want for a miss', async () => {
    await using image = await buildImage()
    await pushImage(image, `${site.local.host}/team/formed:1.0`)

    const response = await fetch(`http://${site.gateway}/v2/team/formed/manifests/1.0`, {
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    })

    expect(response.status).toBe(404)
    // Upstream may be looked at all the same: the local registry tells of whoever pushed it and looked at it.
    const jobs = await site.jobs('--match', 'team/formed:1.0')
    expect(jobs.filter(({ request }) => request.trigger === 'miss')).toEqual([])
  })

  it('lets a push through, the tag as pushed, although upstream has another', async () => {
    await site.publish('team/pushed:1.0')
    await using mine = await buildImage()

    await pushImage(mine, `${site.gateway}/team/pushed:1.0`)

    expect(await digestAt(site.local, 'team/pushed:1.0')).toBe(mine.top.digest)
    expect(await missJobs(site, 'team/pushed')).toEqual([])
  })

  it('brings an image for a client whose token lets it push, too', async () => {
    const image = await site.publish('team/claimed:1.0')
    const access = [{ type: 'repository', name: 'team/claimed', actions: ['pull', 'push'] }]
    const claims = Buffer.from(JSON.stringify({ access })).toString('base64url')

    const response = await fetch(`http://${site.gateway}/v2/team/claimed/manifests/1.0`, {
      headers: { ...ANY_INDEX, authorization: `Bearer e30.${claims}.c2ln` },
    })

    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(image.top.bytes)
  })

  it('does not answer from upstream who asks as before a push, and says so once', async () => {
    const image = await site.publish('team/asked:1.0')
    const url = `http://${site.gateway}/v2/team/asked/manifests`

    for (let time = 0; time < 3; time += 1) {
      const head = await fetch(`${url}/${image.top.digest}`, { method: 'HEAD', headers: ANY_INDEX })
      expect(head.status).toBe(404)
    }

    expect(await loggedRequests(site.upstream, { path: /asked/, method: 'HEAD' }, 0)).toEqual([])
    const told = site.serve.output().filter((line) => /miss ignored.*team\/asked/.test(line))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('push')
    const metrics = await (await fetch(`${site.admin}/metrics`)).text()
    expect(metrics).toContain('pullsync_events_ignored_total{source="gateway",reason="push"} 3')
  })

  it('tells who may be about to push of what is here alone, and brings it first', async () => {
    const image = await site.publish('team/unclear:1.0')
    const headers = { accept: `${image.top.mediaType},${image.manifests[0]?.mediaType}` }
    const url = `http://${site.gateway}/v2/team/unclear/manifests/${image.top.digest}`

    const head = await fetch(url, { method: 'HEAD', headers })

    expect(head.status).toBe(200)
    expect(await lacking(site.local, 'team/unclear', image.top.digest)).toEqual([])
    expect(await digestAt(site.local, 'team/unclear:1.0')).toBeUndefined()
  })

  it('chooses the upstream that the client names', async () => {
    const image = await site.publish('team/named:1.0')
    const url = `http://${site.gateway}/v2/team/named/manifests/1.0`

    const elsewhere = await fetch(`${url}?ns=docker.io`, { headers: ANY_INDEX })
    expect(elsewhere.status).toBe(404)
    expect(await loggedRequests(site.upstream, { path: /team\/named/, method: 'GET' }, 0)).toEqual(
      [],
    )

    const here = await fetch(`${url}?ns=${site.upstream.host}`, { headers: ANY_INDEX })
    expect(Buffer.from(await here.arrayBuffer())).toEqual(image.top.bytes)
  })

  it('goes on with the copy when the client goes away', async () => {
    const image = await site.publish('team/impatient:1.0', { layers: 2, layerBytes: 2_000_000 })
    const leaving = request(`http://${site.gateway}/v2/team/impatient/manifests/1.0`, {
      headers: ANY_INDEX,
    })
    leaving.on('error', () => undefined)
    leaving.end()
    await eventually(async () => (await missJobs(site, 'team/impatient')).length === 1, {
      describe: 'the miss to become a job',
    })

    leaving.destroy()

    await eventually(
      async () => (await digestAt(site.local, 'team/impatient:1.0')) === image.top.digest,
      { describe: 'the image to arrive although nobody waits' },
    )
  })

  it('still takes events beside it', async () => {
    expect(await postTo(`${site.events}/nobody`, {})).toMatchObject({ status: 404 })
    expect((await fetch(`http://${site.gateway}/v2`)).status).not.toBe(500)
    expect((await fetch(`http://${site.gateway}/v2x`)).status).toBe(404)
  })

  it('serves what is local without Redis, and with upstream down', async () => {
    const image = await site.publish('team/kept:1.0')
    await inspectRaw(`${site.gateway}/team/kept:1.0`)
    await site.upstream.stop()
    const missing = await fetch(`http://${site.gateway}/v2/team/absent/manifests/1.0`)
    expect(missing.status).toBe(404)

    await site.redis.stop()

    expect((await inspectRaw(`${site.gateway}/team/kept:1.0`)).digest).toBe(image.top.digest)
    const lost = await fetch(`http://${site.gateway}/v2/team/gone/manifests/1.0`)
    expect(lost.status).toBe(404)
    expect(lost.headers.get('pullsync-reason')).toBe('queue-unavailable')
    await site.redis.start()
    await site.upstream.start()
  })
})
