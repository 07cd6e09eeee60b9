import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildImage } from '../../support/images/image.ts'
import { putManifest } from '../../support/images/push-over-http.ts'
import { pushReferrer } from '../../support/images/referrer.ts'
import { basic, harborSite, type HarborSite } from './harbor-site.ts'

/** What Harbor v2.15.2 answered when it was asked; the stand-in must answer the same. */
describe('the stand-in for Harbor', () => {
  let site: HarborSite

  beforeEach(async () => {
    site = await harborSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('refuses an immutable tag even for the same digest, and takes that by digest', async () => {
    site.harbor.addProject('fixed', { immutable: 'v*' })
    const image = await site.push('fixed/a:v1')
    await expect(site.pushTo('fixed/a:v1', image)).rejects.toThrow(/412 .*configured as immutable/)
    await putManifest(image.top, image.top.digest, site.as('fixed/a'))
  })

  it('mounts by right on the source, and refuses with 401 what 202 would be elsewhere', async () => {
    const image = await site.push('team/from:1')
    site.harbor.addProject('other')
    const [blob] = image.blobs
    const mount = async (from: string, digest: string | undefined) => {
      const path = `/v2/team/to/blobs/uploads/?mount=${digest ?? ''}&from=${from}`
      return await site.ask('POST', path, basic(site.developer))
    }
    expect((await mount('team/from', blob?.digest)).status).toBe(201)
    expect((await mount('other/from', blob?.digest)).status).toBe(401)
    expect((await mount('team/from', `sha256:${'0'.repeat(64)}`)).status).toBe(202)
    const gone = await mount('gone/from', blob?.digest)
    expect([gone.status, gone.body]).toEqual([
      401,
      expect.stringContaining('project gone not found'),
    ])
  })

  it("says at a blob's last PUT, and at a manifest's, that there is no room", async () => {
    const project = site.harbor.addProject('small', { quota: 100 })
    await expect(site.push('small/a:1')).rejects.toThrow(
      /PUT .*403 .*exceed the configured upper limit/,
    )
    project.quota = -1
    const image = await site.push('small/a:2')
    project.quota = project.used
    await expect(putManifest(image.top, '3', site.as('small/a'))).rejects.toThrow(/403 .*DENIED/)
  })

  it('takes nothing while it is read-only', async () => {
    site.harbor.state.readOnly = true
    const answer = await site.ask('POST', '/v2/team/a/blobs/uploads/', basic(site.developer))
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('The system is in read only mode. Any modification is prohibited.'),
    ])
  })

  it('refuses an index whose children are missing', async () => {
    const image = await buildImage()
    site.open.push(image)
    await expect(putManifest(image.top, '1', site.as('team/a'))).rejects.toThrow(
      /400 .*MANIFEST_BLOB_UNKNOWN/,
    )
  })

  it('deletes a tag by its own API only, and tells nobody', async () => {
    const image = await site.push('team/a:1')
    await putManifest(image.top, '2', site.as('team/a'))
    const registry = await site.ask('DELETE', '/v2/team/a/manifests/1', basic(site.harbor.admin))
    expect([registry.status, registry.body]).toEqual([400, expect.stringContaining('UNSUPPORTED')])
    const path = '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1'
    expect((await site.ask('DELETE', path, basic(site.harbor.admin))).status).toBe(200)
    const tags = await site.ask('GET', '/v2/team/a/tags/list', basic(site.developer))
    expect(JSON.parse(tags.body)).toEqual({ name: 'team/a', tags: ['2'] })
  })

  it('lists no tags as an empty list, and 404 for no repository', async () => {
    const image = await site.push('team/a:1')
    await site.ask(
      'DELETE',
      '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1',
      basic(site.harbor.admin),
    )
    const tags = await site.ask('GET', '/v2/team/a/tags/list', basic(site.developer))
    expect([tags.status, JSON.parse(tags.body)]).toEqual([200, { name: 'team/a', tags: [] }])
    expect((await site.ask('GET', '/v2/team/none/tags/list', basic(site.developer))).status).toBe(
      404,
    )
    expect(site.harbor.state.artifact('team/a', image.top.digest)).toBeDefined()
  })

  it("lists referrers, a cosign tag's too, and an empty index for what is not there", async () => {
    const image = await site.push('team/a:1')
    const list = async (name: string, digest: string) => {
      const answer = await site.ask('GET', `/v2/${name}/referrers/${digest}`, basic(site.developer))
      expect(answer.status).toBe(200)
      return (JSON.parse(answer.body) as { manifests: { digest: string }[] }).manifests
    }
    for (const [name, digest] of [
      ['team/a', image.top.digest],
      ['team/a', `sha256:${'0'.repeat(64)}`],
      ['team/none', image.top.digest],
    ] as const)
      expect(await list(name, digest)).toEqual([])
    const subject = image.top
    const common = { ...site.at('team/a'), artifactType: 'application/spdx+json' }
    const sbom = await pushReferrer({ ...common, content: 'an SBOM', subject })
    const tag = `${subject.digest.replace(':', '-')}.sig`
    const signature = await pushReferrer({ ...common, content: 'a signature', tag })
    const digests = (await list('team/a', subject.digest)).map(({ digest }) => digest)
    expect(new Set(digests)).toEqual(new Set([sbom.digest, signature.digest]))
    const again = await site.ask(
      'PUT',
      `/v2/team/a/manifests/${sbom.digest}`,
      basic(site.developer),
      {
        body: sbom.bytes,
        headers: { 'content-type': sbom.mediaType },
      },
    )
    expect(again.headers.get('oci-subject')).toBe(subject.digest)
  })

  it('gives an unsigned image to nobody under a signature policy, and a signed one out', async () => {
    site.harbor.addProject('signed', { contentTrust: true })
    const image = await site.push('signed/a:1')
    const robot = site.harbor.addRobot('ci', ['pull', 'push'], 'signed')
    const head = await site.ask('HEAD', '/v2/signed/a/manifests/1', basic(robot))
    expect([head.status, head.body]).toEqual([412, ''])
    const get = await site.ask('GET', '/v2/signed/a/manifests/1', basic(robot))
    expect(get.body).toContain('PROJECTPOLICYVIOLATION')
    expect(get.body).toContain('The image is not signed by cosign.')
    const tag = `${image.top.digest.replace(':', '-')}.sig`
    await pushReferrer({ ...site.at('signed/a'), artifactType: 'x/y', content: 'signature', tag })
    expect((await site.ask('HEAD', '/v2/signed/a/manifests/1', basic(robot))).status).toBe(200)
  })

  it('takes no pushes into a proxy cache', async () => {
    site.harbor.addProject('cache', { registryId: 1 })
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/1'],
    ] as const) {
      const answer = await site.ask(method, `/v2/cache/a/${path}`, basic(site.harbor.admin))
      expect([answer.status, answer.body]).toEqual([
        403,
        expect.stringContaining('can not push artifact to a proxy project: cache'),
      ])
    }
  })
})
