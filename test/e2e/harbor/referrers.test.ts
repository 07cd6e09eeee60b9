import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { BuiltManifest } from '../../support/images/image.ts'
import { fallbackTag, pushReferrer } from '../../support/images/referrer.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { postTo, SECRET } from '../site.ts'
import { type HarborSite, startHarborSite } from './harbor-site.ts'

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

function gateOf() {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe('what refers to an image of Harbor and is made after it was copied', () => {
  let site: HarborSite

  beforeAll(async () => {
    site = await startHarborSite({ project: '    revalidateAfter: 0s' })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  function refer(repository: string, subject: BuiltManifest, content: string) {
    const artifactType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
    return pushReferrer({ ...site.hq, repository, artifactType, content, subject, listed: false })
  }

  async function listed(repository: string, subject: BuiltManifest): Promise<string[]> {
    const url = `${site.local.url}/v2/${repository}/manifests/${fallbackTag(subject.digest)}`
    const response = await fetch(url, { headers: { accept: OCI_INDEX } })
    if (response.status !== 200) return []
    const { manifests } = (await response.json()) as { manifests: { digest: string }[] }
    return manifests.map(({ digest }) => digest)
  }

  /** Resolves when pullsync has taken all that Harbor has told it of, and done it. */
  async function allDone(deliveries: number): Promise<void> {
    await eventually(() => site.upstream.delivered.length >= deliveries)
    await site.atRest()
  }

  /** Each is published and copied; gives back how many events Harbor has sent by then. */
  async function copied(name: string, image?: Parameters<HarborSite['publish']>[1]) {
    const before = site.upstream.delivered.length
    const built = await site.publish(name, image)
    expect(await site.sync(name)).toBe(0)
    await allDone(before + built.manifests.length)
    return built
  }

  it('follows, though the event has nothing but its digest', async () => {
    const image = await copied('team/signed:1.0')
    const [platform = image.top] = image.manifests

    const signature = await refer('team/signed', image.top, 'of the index')
    const ofThePlatform = await refer('team/signed', platform, 'of one platform')

    await eventually(async () => {
      const found = [await listed('team/signed', image.top), await listed('team/signed', platform)]
      return found.flat().length === 2 && found
    })
    expect(await listed('team/signed', image.top)).toEqual([signature.digest])
    expect(await listed('team/signed', platform)).toEqual([ofThePlatform.digest])
  })

  it('stays there when its image is not held here', async () => {
    const image = await site.publish('team/elsewhere:1.0', { index: false })
    const before = site.upstream.delivered.length

    const signature = await refer('team/elsewhere', image.top, 'nobody asked for it')

    await allDone(before + 1)
    await eventually(
      () =>
        site.asked(new RegExp(`GET .*/team/elsewhere/manifests/${signature.digest}`)).length === 1,
    )
    expect(site.asked(/team\/elsewhere\/(blobs|referrers)/)).toEqual([])
  })

  it('follows when its image was still on its way', async () => {
    const name = 'team/underway'
    let held = true
    const gate = gateOf()
    site.upstream.instead(
      ({ method, url = '' }) => held && method === 'GET' && url.includes(`/${name}/blobs/`),
      async ({ request, response }) => {
        await gate.opened
        response.writeHead(307, { location: request.url }).end()
      },
    )
    const image = await site.publish(`${name}:1.0`, { index: false })
    const synced = site.sync(`${name}:1.0`)
    await eventually(() => site.asked(/GET .*\/underway\/blobs\//).length > 0)

    const signature = await refer(name, image.top, 'signed at once')

    await eventually(() => site.asked(new RegExp(`GET .*${signature.digest}`)).length > 0)
    await eventually(async () =>
      (await site.jobs()).every(
        ({ request, state }) => request.trigger === 'manual' || state === 'completed',
      ),
    )
    held = false
    gate.open()
    expect(await synced).toBe(0)
    await eventually(async () => (await listed(name, image.top)).length > 0)
    expect(await listed(name, image.top)).toEqual([signature.digest])
  })

  it.each([2, 30])(
    'is looked for once in each of %i children of an index, with one request',
    async (children) => {
      const repository = `team/of-${children}`
      const platforms = Array.from(
        { length: children },
        (_, number) => `linux/arm64/v${number + 1}`,
      )
      const before = site.upstream.delivered.length
      const image = await site.publish(`${repository}:1.0`, {
        platforms,
        layers: 1,
        layerBytes: 100,
      })
      await allDone(before + children + 1)

      const asked = site.asked(new RegExp(`/${repository}/`))

      const gets = children === image.manifests.length - 1 ? image.manifests.slice(0, -1) : []
      expect([...asked].sort()).toEqual(
        gets.map(({ digest }) => `GET /v2/${repository}/manifests/${digest}`).sort(),
      )
    },
  )

  it('is not looked for again when the same is pushed, or told of, once more', async () => {
    const image = await site.publish('team/twice:1.0', { platforms: ['linux/amd64'] })
    await eventually(() => site.asked(/team\/twice/).length > 0)
    const before = site.upstream.delivered.length

    await pushOverHttp(image, { ...site.hq, repository: 'team/twice', tag: '1.1' })

    await allDone(before + image.manifests.length)
    expect(site.asked(/team\/twice/)).toHaveLength(1)
  })

  it('is found when somebody pulls the tag, where no event told of it', async () => {
    const image = await copied('team/unheard:1.0', { index: false })
    const project = site.upstream.state.projects.get('team')
    const policies = project?.policies.splice(0) ?? []
    const signature = await refer('team/unheard', image.top, 'nobody told of it')
    project?.policies.push(...policies)

    await eventually(async () => {
      await fetch(`http://${site.gateway}/v2/team/unheard/manifests/1.0`, {
        headers: { accept: image.top.mediaType },
      })
      return (await listed('team/unheard', image.top)).length > 0
    })

    expect(await listed('team/unheard', image.top)).toEqual([signature.digest])
  })
})

it('zot tells in its event what a manifest refers to, and nothing is looked up', async () => {
  // zot's own events, as if the upstream were one: Harbor's API for referrers answers like zot's.
  await using site = await startHarborSite({ events: 'zot' })
  const image = await site.publish('team/signed:1.0', { index: false })
  expect(await site.sync('team/signed:1.0')).toBe(0)
  const artifactType = 'application/spdx+json'
  const sbom = await pushReferrer({
    ...{ ...site.hq, repository: 'team/signed', artifactType, content: 'an SBOM' },
    ...{ subject: image.top, listed: false },
  })
  const from = site.upstream.requests.length
  const tell = (manifest: BuiltManifest) =>
    postTo(
      `http://${site.gateway}/v1/events/hq-push`,
      {
        ...{ name: 'team/signed', reference: manifest.digest, digest: manifest.digest },
        ...{ mediaType: manifest.mediaType, manifest: manifest.bytes.toString('utf8') },
      },
      {
        ...{ authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
        ...{ 'ce-id': manifest.digest, 'ce-source': 'zot', 'ce-specversion': '1.0' },
        'ce-type': 'zotregistry.image.updated',
      },
    )

  const ofTheImage = await tell(image.top)
  const ofTheSbom = await tell(sbom)

  expect(ofTheImage.body).toEqual({ accepted: 0, ignored: 1, duplicates: 0 })
  expect(ofTheSbom.body).toEqual({ accepted: 1, ignored: 0, duplicates: 0 })
  const here = `${site.local.url}/v2/team/signed/manifests/${sbom.digest}`
  await eventually(async () => {
    const answer = await fetch(here, { headers: { accept: sbom.mediaType } })
    return answer.status === 200
  })
  const gets = site.asked(/GET .*\/manifests\//, from)
  expect(gets).toEqual([`GET /v2/team/signed/manifests/${sbom.digest}`])
})
