import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { type BuiltManifest, buildImage } from '../../support/images/image.ts'
import { pushOverHttp, putManifest } from '../../support/images/push-over-http.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

describe('a tag that upstream deletes', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({ project: '    onUpstreamDelete: delete\n    onUpstreamPush: always' })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  async function deleteUpstream(repository: string, { digest }: BuiltManifest) {
    const url = `${site.upstream.url}/v2/${repository}/manifests/${digest}`
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(202)
  }

  /** How the jobs ended that the deletion made. */
  async function endings(repository: string) {
    const jobs = await eventually(async () => {
      const found = await site.jobs('--match', `${repository}*`)
      const removals = found.filter(({ request }) => request.trigger === 'delete')
      return removals.length > 0 && removals.every(({ outcome }) => outcome) && removals
    })
    return jobs.map(({ outcome }) => outcome)
  }

  it('goes here too, and is not fetched back', async () => {
    const image = await site.publish('team/gone:1.0', { index: false })
    const kept = await site.publish('team/gone:2.0', { index: false })
    await arrives(site, 'team/gone:1.0', image)
    await arrives(site, 'team/gone:2.0', kept)

    await deleteUpstream('team/gone', image.top)

    await eventually(async () => (await digestAt(site.local, 'team/gone:1.0')) === undefined)
    // The registry tells of the digest and of its tag: either job may be the first.
    const ended = await endings('team/gone')
    expect(ended).toContainEqual({ kind: 'deleted', digest: image.top.digest })
    for (const outcome of ended) expect(outcome).not.toHaveProperty('failure')
    expect(await digestAt(site.local, 'team/gone:2.0')).toBe(kept.top.digest)
  })

  it('stays where another tag, or an index, needs what it names', async () => {
    const image = await site.publish('team/shared:1.0')
    const [child] = image.manifests
    if (child === undefined) throw new Error('the index has no child')
    const target = { url: site.upstream.url, repository: 'team/shared', tag: '' }
    await putManifest(child, 'amd64', target)
    await arrives(site, 'team/shared:1.0', image)
    await eventually(async () => (await digestAt(site.local, 'team/shared:amd64')) === child.digest)
    await deleteUpstream('team/shared', child)

    const [ending] = await endings('team/shared')

    expect(ending).toMatchObject({ kind: 'refused' })
    expect(ending?.reason).toMatch(/tag 1\.0 needs sha256:/)
    expect(await digestAt(site.local, `team/shared@${child.digest}`)).toBe(child.digest)
  })

  it('stays where an index of an index needs what it names', async () => {
    await using image = await buildImage()
    const [child] = image.manifests
    if (child === undefined) throw new Error('the index has no child')
    const place = { url: site.upstream.url, repository: 'team/deep' }
    // Without a tag of its own.
    await pushOverHttp(image, { ...place, tag: image.top.digest })
    const { mediaType, digest, bytes } = image.top
    const outer = indexOf([{ mediaType, digest, size: bytes.length }])
    await putManifest(outer, '1.0', { ...place, tag: '' })
    await putManifest(child, 'amd64', { ...place, tag: '' })
    for (const [tag, named] of [
      ['1.0', outer],
      ['amd64', child],
    ] as const) {
      await eventually(
        async () => (await digestAt(site.local, `team/deep:${tag}`)) === named.digest,
      )
    }

    await deleteUpstream('team/deep', child)

    const [ending] = await endings('team/deep')
    expect(ending).toMatchObject({ kind: 'refused' })
    expect(ending?.reason).toMatch(/tag 1\.0 needs sha256:/)
    expect(await digestAt(site.local, `team/deep@${child.digest}`)).toBe(child.digest)
  })

  it('stays when upstream has it again', async () => {
    await using image = await buildImage({ index: false })
    const place = { url: site.local.url, repository: 'team/again', tag: '1.0' }
    await pushOverHttp(image, place)
    await pushOverHttp(image, { ...place, url: site.upstream.url })
    const target = { repository: 'team/again', tag: '1.0', digest: image.top.digest }
    await site.post('hq-push', { events: [{ id: 'late', action: 'delete', target }] })

    expect(await endings('team/again')).toEqual([
      { kind: 'refused', reason: 'upstream "hq" has it still, or again' },
    ])
    expect(await digestAt(site.local, 'team/again:1.0')).toBe(image.top.digest)
  })

  it('goes with all tags of its digest, whether they are told of one by one or not', async () => {
    await using image = await buildImage({ index: false })
    const repository = 'team/many'
    const tags = ['1.0', '1.1', '1.2', 'latest']
    for (const tag of tags) await pushOverHttp(image, { url: site.local.url, repository, tag })
    const targets = [{ digest: image.top.digest }, ...tags.map((tag) => ({ tag }))]

    for (const [id, target] of targets.entries()) {
      const event = { id: `many-${id}`, action: 'delete', request: { id: 'many' } }
      await site.post('hq-push', { events: [{ ...event, target: { repository, ...target } }] })
    }

    const ended = await eventually(async () => {
      const jobs = await site.jobs('--match', `${repository}*`)
      return jobs.length === targets.length && jobs.every(({ outcome }) => outcome) && jobs
    })
    expect(await digestAt(site.local, `${repository}@${image.top.digest}`)).toBeUndefined()
    for (const { outcome } of ended) expect(outcome).not.toHaveProperty('failure')
    expect(ended.map(({ attemptsMade }) => attemptsMade)).toEqual(targets.map(() => 1))
  })

  it('deleted here is not fetched back', async () => {
    const image = await site.publish('team/local:1.0', { index: false })
    await arrives(site, 'team/local:1.0', image)
    const url = `${site.local.url}/v2/team/local/manifests/${image.top.digest}`
    const before = (await site.jobs('--match', 'team/local*')).length

    expect((await fetch(url, { method: 'DELETE' })).status).toBe(202)
    await eventually(async () => {
      const metrics = await (await fetch(`${site.admin}/metrics`)).text()
      return /ignored_total\{source="edge",reason="delete"\} [1-9]/.test(metrics)
    })

    expect(await digestAt(site.local, 'team/local:1.0')).toBeUndefined()
    expect(await site.jobs('--match', 'team/local*')).toHaveLength(before)
  })
})

function indexOf(manifests: readonly object[]): BuiltManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
  return { mediaType: OCI_INDEX, digest: digestOf(bytes), bytes }
}
