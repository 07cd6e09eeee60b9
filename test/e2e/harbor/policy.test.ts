import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import type { BuiltManifest } from '../../support/images/image.ts'
import { fallbackTag, pushReferrer } from '../../support/images/referrer.ts'
import { type HarborSite, type Side, startHarborSite } from './harbor-site.ts'

const SIGNATURE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** As cosign 3 signs where there is a referrers API, or as cosign 2 does, with a tag. */
function sign(side: Side, repository: string, subject: BuiltManifest, how: 'referrer' | 'tag') {
  const about = { ...side, repository, artifactType: SIGNATURE, content: `signs ${subject.digest}` }
  return how === 'referrer'
    ? pushReferrer({ ...about, subject, listed: false })
    : pushReferrer({ ...about, tag: `${fallbackTag(subject.digest)}.sig` })
}

async function status(side: Side, path: string): Promise<number> {
  const authorization = `Basic ${btoa(side.credentials ?? '')}`
  const headers = { authorization, accept: OCI_MANIFEST }
  const answer = await fetch(`${side.url}/v2/${path}`, { headers })
  await answer.arrayBuffer()
  return answer.status
}

describe('an image that the local Harbor withholds until it is signed', () => {
  let site: HarborSite

  beforeAll(async () => {
    site = await startHarborSite({ localHarbor: true })
    const project = site.localHarbor?.state.projects.get('team')
    if (project !== undefined) project.contentTrust = true
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  const digestHere = (repository: string, tag: string) =>
    site.localHarbor?.state.artifact(repository, tag)?.digest

  it('follows the tag that moves all the same', async () => {
    await site.publish('team/moved:1.0', { index: false })
    expect(await site.sync('team/moved:1.0')).toBe(0)
    expect(await status(site.local, 'team/moved/manifests/1.0')).toBe(412)

    const after = await site.publish('team/moved:1.0', { index: false })

    await eventually(() => digestHere('team/moved', '1.0') === after.top.digest)
  })

  it('is copied with all its platforms, though each of them is withheld', async () => {
    const image = await site.publish('team/platforms:1.0')
    expect(await site.sync('team/platforms:1.0')).toBe(0)

    const after = await site.publish('team/platforms:1.1')
    expect(await site.sync('team/platforms:1.1')).toBe(0)
    expect(await site.sync('team/platforms:1.1')).toBe(0)

    expect(digestHere('team/platforms', '1.0')).toBe(image.top.digest)
    expect(digestHere('team/platforms', '1.1')).toBe(after.top.digest)
  })

  it.each(['referrer', 'tag'] as const)(
    'is given out once its signature has followed, as a %s',
    async (how) => {
      const repository = `team/signed-by-${how}`
      const image = await site.publish(`${repository}:1.0`, { index: false })
      expect(await site.sync(`${repository}:1.0`)).toBe(0)
      expect(await status(site.local, `${repository}/manifests/1.0`)).toBe(412)

      await sign(site.hq, repository, image.top, how)

      await eventually(
        async () => (await status(site.local, `${repository}/manifests/1.0`)) === 200,
      )
    },
  )

  it('makes clients of the project wait for the registry from then on', async () => {
    await site.publish('team/unsigned:1.0', { index: false })
    await site.sync('team/unsigned:1.0')
    await site.sync('team/unsigned:1.0')
    const other = await site.publish('team/other:1.0', { index: false })
    const authorization = `Basic ${btoa(site.local.credentials ?? '')}`
    const url = `http://${site.gateway}/v2/team/other/manifests/1.0`

    const answer = await fetch(url, { headers: { authorization, accept: other.top.mediaType } })

    expect(answer.status).toBe(412)
    expect(await answer.text()).toContain('PROJECTPOLICYVIOLATION')
  })
})

describe('an image that the upstream Harbor withholds until it is signed', () => {
  let site: HarborSite

  beforeAll(async () => {
    site = await startHarborSite({ project: '    onUpstreamPush: always' })
    const project = site.upstream.state.projects.get('team')
    if (project !== undefined) project.contentTrust = true
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it.each(['referrer', 'tag'] as const)('comes as soon as it is signed by a %s', async (how) => {
    const repository = `team/signed-by-${how}`
    const image = await site.publish(`${repository}:1.0`, { index: false })
    await eventually(async () => {
      const [job] = await site.jobs('--match', `${repository}:1.0`)
      return job?.state === 'delayed'
    })

    await sign(site.hq, repository, image.top, how)

    await eventually(
      async () => (await status(site.local, `${repository}/manifests/1.0`)) === 200,
      {},
    )
  })

  it('keeps nobody from asking that upstream for others', async () => {
    await site.publish('team/unsigned:1.0', { index: false })
    await eventually(async () => {
      const [job] = await site.jobs('--match', 'team/unsigned:1.0')
      return job?.state === 'delayed' && job.failedReason?.includes('until it is signed')
    })
    const { stdout } = await site.pullsync.run(['status', '--json'])

    expect(JSON.parse(stdout)).toMatchObject([{ upstream: 'hq', heldForMs: 0 }])
  })
})
