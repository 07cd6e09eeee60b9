import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { eventually } from '../../support/eventually.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { postTo } from '../site.ts'
import { type HarborSite, startHarborSite } from './harbor-site.ts'

const DELETES = '    onUpstreamDelete: delete'
const NESTED = 'team/deep/app'

async function copiedWithTags(site: HarborSite, repository: string, ...tags: string[]) {
  const [first = '', ...others] = tags
  const image = await site.publish(`${repository}:${first}`, { index: false })
  for (const tag of others) await pushOverHttp(image, { ...site.hq, repository, tag })
  for (const tag of tags) expect(await site.sync(`${repository}:${tag}`)).toBe(0)
  return image
}

function removeUpstream(site: HarborSite, repository: string, digest: string) {
  const authorization = `Basic ${btoa(site.hq.credentials ?? '')}`
  const url = `${site.hq.url}/v2/${repository}/manifests/${digest}`
  return fetch(url, { method: 'DELETE', headers: { authorization } })
}

async function tagsHere({ local }: HarborSite, repository: string, ...tags: string[]) {
  const headers = {
    accept: OCI_MANIFEST,
    ...(local.credentials !== undefined && { authorization: `Basic ${btoa(local.credentials)}` }),
  }
  const found = await Promise.all(
    tags.map(async (tag) => {
      const answer = await fetch(`${local.url}/v2/${repository}/manifests/${tag}`, { headers })
      const bytes = Buffer.from(await answer.arrayBuffer())
      return answer.status === 200 ? [tag, digestOf(bytes)] : []
    }),
  )
  return found.filter(([tag]) => tag !== undefined)
}

describe.each([
  ['CNCF distribution 2, which deletes by digest only', false],
  ['Harbor, which leaves tags to its own API', true],
])('an artifact of two tags that the upstream Harbor deletes, here in %s', (_, localHarbor) => {
  it('goes with both, though the event names one', async () => {
    await using site = await startHarborSite({ localHarbor, project: DELETES })
    const image = await copiedWithTags(site, NESTED, '1.0', '1.1')
    const kept = await copiedWithTags(site, NESTED, '2.0')

    expect((await removeUpstream(site, NESTED, image.top.digest)).status).toBe(202)

    await eventually(async () => (await tagsHere(site, NESTED, '1.0', '1.1')).length === 0)
    expect(await tagsHere(site, NESTED, '1.0', '1.1', '2.0')).toEqual([['2.0', kept.top.digest]])
    const removals = (await site.jobs()).filter(({ request }) => request.trigger === 'delete')
    expect(removals).toMatchObject([{ outcome: { kind: 'deleted' } }])
  })
})

it('a tag that upstream has moved to another image stays, and only the others go', async () => {
  await using site = await startHarborSite({ localHarbor: true, project: DELETES })
  const image = await copiedWithTags(site, NESTED, '1.0', 'latest')
  await site.publish(`${NESTED}:latest`, { index: false })

  expect((await removeUpstream(site, NESTED, image.top.digest)).status).toBe(202)

  await eventually(async () => (await tagsHere(site, NESTED, '1.0')).length === 0)
  expect(await tagsHere(site, NESTED, 'latest')).toHaveLength(1)
})

it('a tag stays when upstream no longer lets pullsync see whether it is there', async () => {
  await using site = await startHarborSite({ project: DELETES })
  await copiedWithTags(site, 'team/app', '1.0')
  await site.atRest()
  const { accounts, tokens } = site.upstream.state
  for (const account of accounts.values()) {
    if (!account.admin) accounts.set(account.name, { ...account, rights: new Map() })
  }
  tokens.clear()

  const repository = { name: 'app', namespace: 'team', repo_full_name: 'team/app' }
  const resources = [{ digest: digestOf(Buffer.from('another')), tag: '1.0' }]
  await postTo(`http://${site.gateway}/v1/events/hq-push`, {
    ...{ type: 'DELETE_ARTIFACT', occur_at: 1, operator: 'admin' },
    event_data: { repository, resources },
  })

  const removals = async () =>
    (await site.jobs()).filter(({ request }) => request.trigger === 'delete')
  await eventually(async () => (await removals()).some(({ attemptsMade }) => attemptsMade > 0))
  expect(await tagsHere(site, 'team/app', '1.0')).toHaveLength(1)
  expect(await removals()).not.toMatchObject([{ outcome: { kind: 'deleted' } }])
})
