import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OCI_INDEX } from '../../../src/oci/media-types.ts'
import { goProgram, missingProgram } from '../../support/process/go-program.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { fallbackTag, pushReferrer } from '../../support/images/referrer.ts'
import { run } from '../../support/process/run.ts'
import { refuse } from '../../support/registry/scripted-registry.ts'
import {
  addSmallImage,
  type ScriptedSite,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'
import { skopeo } from '../../support/images/skopeo.ts'
import { type Site, startSite } from '../site.ts'

const ORAS = goProgram('oras') ?? ''

interface TagList {
  readonly tags: readonly string[]
}

async function tagPages(url: string): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = []
  for (let next: string | undefined = url; next !== undefined;) {
    const answer: Response = await fetch(next)
    expect(answer.status).toBe(200)
    pages.push(((await answer.json()) as TagList).tags)
    const target = /<(.+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]
    next = target && new URL(target, url).href
  }
  return pages
}

describe('lists, with docker-registry on both sides', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({ project: "    tags: { include: ['*'], exclude: ['*-rc*'] }" })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it('has the tags of a repository that is not here, as far as the project takes them', async () => {
    for (const tag of ['1.0', '1.1', '2.0-rc1']) await site.publish(`team/tags:${tag}`)

    const url = `http://${site.gateway}/v2/team/tags/tags/list`

    expect(await tagPages(url)).toEqual([['1.0', '1.1']])
  })

  it('has what is here and what is upstream in one, page by page', async () => {
    for (const tag of ['a', 'c', 'e']) await site.publish(`team/both:${tag}`)
    const own = await site.publish('team/elsewhere:1')
    for (const tag of ['b', 'c', 'd']) {
      await pushOverHttp(own, { url: site.local.url, repository: 'team/both', tag })
    }
    const url = `http://${site.gateway}/v2/team/both/tags/list`

    expect(await tagPages(url)).toEqual([['a', 'b', 'c', 'd', 'e']])
    expect(await tagPages(`${url}?n=2`)).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(await tagPages(`${url}?n=2&last=b`)).toEqual([['c', 'd'], ['e']])
  })

  it('lets skopeo inspect what was never pulled', async () => {
    await site.publish('team/inspected:1.0', { platforms: ['linux/amd64'] })

    const { code, stdout } = await skopeo([
      ...['inspect', '--tls-verify=false', '--override-os', 'linux', '--override-arch', 'amd64'],
      `docker://${site.gateway}/team/inspected:1.0`,
    ])

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ RepoTags: ['1.0'] })
  })

  it('has what refers to an image that was never pulled, under the fallback tag', async () => {
    const image = await site.publish('team/signed:1.0')
    const referrer = await pushReferrer({
      ...{ url: site.upstream.url, repository: 'team/signed', subject: image.top },
      ...{ artifactType: 'application/x.sbom', content: 'of these' },
    })
    const of = `http://${site.gateway}/v2/team/signed`

    const list = await fetch(`${of}/manifests/${fallbackTag(image.top.digest)}`, {
      headers: { accept: OCI_INDEX },
    })

    // As the registry behind it, whose clients go on to ask for the tag.
    expect((await fetch(`${of}/referrers/${image.top.digest}`)).status).toBe(404)
    expect(await list.json()).toMatchObject({ manifests: [{ digest: referrer.digest }] })
  })

  it.skipIf(ORAS === '')(`lets oras discover them${missingProgram('oras')}`, async () => {
    const image = await site.publish('team/discovered:1.0')
    const referrer = await pushReferrer({
      ...{ url: site.upstream.url, repository: 'team/discovered', subject: image.top },
      ...{ artifactType: 'application/x.sbom', content: 'of that' },
    })

    const name = `${site.gateway}/team/discovered:1.0`
    const { code, stdout } = await run(ORAS, [
      ...['discover', '--plain-http', '--format', 'json', name],
    ])

    expect(code).toBe(0)
    expect(stdout.toString()).toContain(referrer.digest)
  })
})

describe('lists, of registries that list referrers themselves', () => {
  let site: ScriptedSite
  const SBOM = { artifactType: 'application/x.sbom', digest: `sha256:${'b'.repeat(64)}` }
  const SIGNATURE = { artifactType: 'application/x.signature', digest: `sha256:${'a'.repeat(64)}` }
  const entries = [SBOM, SIGNATURE].map((each) => ({
    ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 100 },
    ...each,
  }))

  beforeAll(async () => {
    site = await startScriptedSite(`
  - { name: team, upstream: hq, policy: none, revalidateAfter: 0s }
  - { name: alone, upstream: hq, policy: none, tagList: local, referrers: false }
  - { name: strict, upstream: hq, policy: local }`)
    site.upstream.script({ path: /\/referrers\// }, ({ response }) => {
      send(response, OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries })
    })
    site.local.script({ path: /\/referrers\// }, ({ response }) => {
      send(response, OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })
    })
    site.upstream.script({ path: /\/tags\/list/ }, ({ response }) => {
      send(response, 'application/json', { name: 'x', tags: ['1.0', '2.0'] })
    })
    site.local.script({ path: /\/tags\/list/ }, ({ response }) => {
      send(response, 'application/json', { name: 'x', tags: ['own'] })
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  const get = async (path: string, method = 'GET') =>
    await fetch(`${site.gateway}/v2/${path}`, { method, headers: { accept: OCI_INDEX } })

  const digestsIn = async (answer: Response) => {
    const { manifests } = (await answer.json()) as { manifests: readonly { digest: string }[] }
    return manifests.map(({ digest }) => digest)
  }

  it('has what refers to an image that is not here, of one artifact type or of all', async () => {
    const { index } = addSmallImage(site.upstream, 'team/app', '1.0')

    const all = await get(`team/app/referrers/${index}`)
    const some = await get(
      `team/app/referrers/${index}?artifactType=${encodeURIComponent(SBOM.artifactType)}`,
    )

    expect(all.headers.get('content-type')).toBe(OCI_INDEX)
    expect(await digestsIn(all)).toEqual([SIGNATURE.digest, SBOM.digest])
    expect(some.headers.get('oci-filters-applied')).toBe('artifactType')
    expect(await digestsIn(some)).toEqual([SBOM.digest])
  })

  it('makes the fallback tag, the same by GET and by HEAD, for clients of a registry without', async () => {
    const { index } = addSmallImage(site.upstream, 'team/plain', '1.0')
    const path = `team/plain/manifests/${index.replace(':', '-')}`

    const [got, head] = [await get(path), await get(path, 'HEAD')]

    expect(head.status).toBe(200)
    expect(head.headers.get('docker-content-digest')).toBe(got.headers.get('docker-content-digest'))
    expect(await digestsIn(got)).toEqual([SBOM.digest, SIGNATURE.digest])
  })

  it('has entries that clients and registries can read, and no more of what they cannot', async () => {
    const [one, two] = entries
    const odd = {
      ...one,
      mediaType: null,
      artifactType: 5,
      size: null,
      annotations: { a: 1 },
      x: 1,
    }
    site.upstream.script({ path: /team\/odd\/referrers/ }, ({ response }) => {
      send(response, OCI_INDEX, { schemaVersion: 2, manifests: [odd, two, 'x', two] })
    })
    const { index } = addSmallImage(site.upstream, 'team/odd', '1.0')

    const list = await get(`team/odd/referrers/${index}`)

    expect(await list.json()).toMatchObject({ manifests: [two, { digest: one?.digest, x: 1 }] })
    const { manifests } = (await (await get(`team/odd/referrers/${index}`)).json()) as {
      manifests: readonly object[]
    }
    expect(manifests.map(Object.keys)).toEqual([Object.keys(two ?? {}), ['digest', 'x']])
  })

  it.each([
    ['leaves the tags out', { name: 'x' }, {}, ['1.0', '2.0']],
    [
      'names other links in lines before',
      { tags: ['0.9'] },
      { link: ['</>; rel="help"'] },
      ['0.9', '1.0', '2.0'],
    ],
    [
      'names the next page in a line of its own',
      { tags: ['1.5'] },
      { link: ['</>; rel="help"', '<?last=1.5>; rel="next"'] },
      ['1.0', '1.5'],
    ],
  ])('are one list where the local registry %s', async (name, body, headers, tags) => {
    const repository = `team/${name.replaceAll(' ', '-')}`
    site.local.script({ path: new RegExp(`${repository}/tags`) }, ({ response }) => {
      response.writeHead(200, headers).end(JSON.stringify(body))
    })

    expect(await (await get(`${repository}/tags/list`)).json()).toMatchObject({ tags })
  })

  it('goes on after a page without names, with a warning that upstream has no part in it', async () => {
    const link = '</v2/team/empty/tags/list?next_page=x>; rel="next"'
    site.local.script({ path: /team\/empty\/tags/ }, ({ response }) => {
      response.writeHead(200, { link }).end('{"tags":[]}')
    })

    const { headers } = await get('team/empty/tags/list')

    expect([headers.get('link'), headers.get('warning')]).toEqual([link, expect.any(String)])
  })

  it.each([401, 403, 429, 500, 503])(
    'shows nothing to whom the registry answers %i',
    async (status) => {
      const { index } = addSmallImage(site.upstream, `team/closed-${status}`, '1.0')
      site.local.script({ path: new RegExp(`closed-${status}`) }, ({ response }) => {
        refuse(response, status, 'REFUSED')
      })
      const of = `team/closed-${status}`

      for (const path of [
        `referrers/${index}`,
        'tags/list',
        `manifests/sha256-${index.slice(7)}`,
      ]) {
        expect([path, (await get(`${of}/${path}`)).status]).toEqual([path, status])
      }
    },
  )

  it.each([
    ['takes neither from upstream', 'alone'],
    ["waits for the local registry's own word", 'strict'],
  ])("are the local registry's alone where the project %s", async (_, project) => {
    const { index } = addSmallImage(site.upstream, `${project}/app`, '1.0')

    expect(await digestsIn(await get(`${project}/app/referrers/${index}`))).toEqual([])
    expect(await (await get(`${project}/app/tags/list`)).json()).toMatchObject({ tags: ['own'] })
  })

  it('say with a warning that upstream could not be asked', async () => {
    site.upstream.script({ path: /unreached\/(tags|referrers)/ }, ({ response }) => {
      refuse(response, 403, 'DENIED')
    })

    const tags = await get('team/unreached/tags/list')

    expect(tags.headers.get('warning')).toMatch(/^299 - "upstream's tags /)
    expect(await tags.json()).toMatchObject({ tags: ['own'] })
  })
})

function send(response: ServerResponse, type: string, value: object): void {
  const body = JSON.stringify(value)
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
