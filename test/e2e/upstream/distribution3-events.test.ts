import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { goProgram, missingProgram } from '../../support/process/go-program.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

const program = goProgram('distribution3')

describe.skipIf(program === undefined)(
  `what CNCF distribution 3 tells of${missingProgram('distribution3')}`,
  () => {
    let site: Site

    beforeAll(async () => {
      site = await startSite({
        upstream: { program },
        local: { program },
        project:
          '    onUpstreamDelete: delete\n    onUpstreamPush: always\n    revalidateAfter: 0s',
      })
    })

    afterAll(async () => {
      await site[Symbol.asyncDispose]()
    })

    async function copied(repository: string, ...tags: string[]) {
      const [first = '', ...others] = tags
      const image = await site.publish(`${repository}:${first}`, { index: false })
      for (const tag of others) {
        await pushOverHttp(image, { url: site.upstream.url, repository, tag })
      }
      for (const tag of tags) await arrives(site, `${repository}:${tag}`, image)
      return image
    }

    async function remove(repository: string, reference: string) {
      const url = `${site.upstream.url}/v2/${repository}/manifests/${reference}`
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(202)
    }

    async function jobs(repository: string, trigger: string) {
      const all = await site.jobs('--match', `${repository}*`)
      return all.filter(({ request }) => request.trigger === trigger)
    }

    const here = (name: string) => digestAt(site.local, name)

    it('a tag that is deleted, without a digest, goes alone', async () => {
      const image = await copied('team/tag', '1.0', '1.1')

      await remove('team/tag', '1.0')

      await eventually(async () => (await here('team/tag:1.0')) === undefined)
      expect(await here('team/tag:1.1')).toBe(image.top.digest)
    })

    it('a digest that is deleted, and each of its tags once more, goes with all of them', async () => {
      const tags = ['1.0', '1.1', 'latest']
      const image = await copied('team/digest', ...tags)
      const kept = await copied('team/digest', '2.0')

      await remove('team/digest', image.top.digest)

      for (const tag of tags) {
        await eventually(async () => (await here(`team/digest:${tag}`)) === undefined)
      }
      expect(await here('team/digest:2.0')).toBe(kept.top.digest)
      const ended = await eventually(async () => {
        const all = await jobs('team/digest', 'delete')
        return all.length === 1 + tags.length && all.every(({ outcome }) => outcome) && all
      })
      expect(ended.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1, 1, 1])
      for (const { outcome } of ended) expect(outcome).not.toHaveProperty('failure')
    })

    it('a tag goes that was of an older image here when its digest was deleted upstream', async () => {
      await using image = await buildImage({ index: false })
      await pushOverHttp(image, { url: site.local.url, repository: 'team/behind', tag: '1.0' })
      const tell = (id: string, target: object) =>
        site.post('hq-push', {
          events: [
            {
              ...{ id, action: 'delete', request: { id: 'behind' } },
              target: { repository: 'team/behind', ...target },
            },
          ],
        })

      await tell('digest', { digest: `sha256:${'b1'.repeat(32)}` })
      await tell('tag', { tag: '1.0' })

      await eventually(async () => (await here('team/behind:1.0')) === undefined)
    })

    it('a HEAD here is a pull, and has the tag looked up; a 304 is none', async () => {
      const image = await copied('team/looked', '1.0')
      const url = `${site.local.url}/v2/team/looked/manifests/1.0`
      const headers = { accept: OCI_MANIFEST }
      const same = { ...headers, 'if-none-match': `"${image.top.digest}"` }
      const before = await jobs('team/looked', 'revalidate')

      expect((await fetch(url, { headers: same })).status).toBe(304)
      // The end of the copy answers for the tag for some seconds.
      await eventually(async () => {
        expect((await fetch(url, { method: 'HEAD', headers })).status).toBe(200)
        return (await jobs('team/looked', 'revalidate')).length > 0
      })

      expect(before).toEqual([])
    })
  },
)
