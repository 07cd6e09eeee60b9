import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startHarbor } from '../../support/harbor/harbor.ts'
import type { Policy } from '../../support/harbor/state.ts'
import { putManifest } from '../../support/images/push-over-http.ts'
import { basic, harborSite, type HarborSite } from './harbor-site.ts'

/** What Harbor v2.15.2 answered when it was asked; the stand-in must answer the same. */
describe('the stand-in for Harbor', () => {
  let site: HarborSite

  beforeEach(async () => {
    site = await harborSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('its webhooks', () => {
    async function listen(project: string, format: 'Default' | 'CloudEvents', status = 200) {
      const got: { type: string | undefined; body: Record<string, unknown>; path: string }[] = []
      const server = createServer((request, response) => {
        void text(request).then((body) => {
          const { url: path = '', headers } = request
          got.push({ type: headers['content-type'], body: JSON.parse(body) as never, path })
          response.writeHead(status).end()
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      site.open.push({
        [Symbol.asyncDispose]: () =>
          new Promise((resolve) => {
            server.closeAllConnections()
            server.close(() => {
              resolve()
            })
          }),
      })
      const address = `http://127.0.0.1:${port}/hook?key=kept`
      const types = ['PUSH_ARTIFACT', 'PULL_ARTIFACT', 'DELETE_ARTIFACT', 'TAG_RETENTION']
      const target = { type: 'http', address, auth_header: 'Bearer s', payload_format: format }
      const policy = { id: 1, name: 'p', enabled: true, event_types: types, targets: [target] }
      site.harbor.state.projects.get(project)?.policies.push(policy as Policy)
      return got
    }

    const resourceOf = (body: Record<string, unknown>) => {
      const { resources = [] } = (body['event_data'] ?? body['data']) as {
        resources?: { tag: string; digest: string }[]
      }
      return resources[0]
    }

    it('tell of each manifest of an index, the children by their digest in the place of the tag', async () => {
      const got = await listen('team', 'Default')
      const image = await site.push('team/a:1', {
        index: true,
        platforms: ['linux/amd64', 'linux/arm64'],
      })
      await eventually(() => got.length === 3)
      const tags = got.map(({ body }) => resourceOf(body)?.tag)
      expect(new Set(tags)).toEqual(
        new Set([...image.manifests.slice(0, 2).map((m) => m.digest), '1']),
      )
      expect(got[0]).toMatchObject({ type: 'application/json', path: '/hook?key=kept' })
      expect(got[0]?.body['type']).toBe('PUSH_ARTIFACT')
    })

    it('are CloudEvents where the policy says so', async () => {
      const got = await listen('team', 'CloudEvents')
      await site.push('team/a:1')
      await eventually(() => got.length === 1)
      expect(got[0]?.type).toBe('application/cloudevents+json')
      expect(got[0]?.body).toMatchObject({ specversion: '1.0', type: 'harbor.artifact.pushed' })
    })

    it('tell of GETs, but not of HEADs nor of Harbor itself', async () => {
      await site.push('team/a:1')
      const got = await listen('team', 'Default')
      await site.ask('HEAD', '/v2/team/a/manifests/1', basic(site.developer))
      const own = { headers: { 'user-agent': 'harbor-registry-client' } }
      await site.ask('GET', '/v2/team/a/manifests/1', basic(site.developer), own)
      await site.ask('GET', '/v2/team/a/manifests/1', basic(site.developer))
      await eventually(() => got.length === 1)
      expect(got[0]?.body).toMatchObject({ type: 'PULL_ARTIFACT', operator: 'dev' })
    })

    it('tell once of an artifact of two tags that is deleted, and never of a tag alone', async () => {
      const image = await site.push('team/a:1')
      await putManifest(image.top, '2', site.as('team/a'))
      await putManifest(image.top, '3', site.as('team/a'))
      const got = await listen('team', 'Default')
      const tag = '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1'
      await site.ask('DELETE', tag, basic(site.harbor.admin))
      await site.ask('DELETE', `/v2/team/a/manifests/${image.top.digest}`, basic(site.harbor.admin))
      await eventually(() => got.length === 1)
      expect(resourceOf(got[0]?.body ?? {})).toMatchObject({ tag: '2', digest: image.top.digest })
    })

    it('tell of each artifact that retention takes, and of the retention', async () => {
      await site.push('team/a:1')
      await site.push('team/a:2')
      const got = await listen('team', 'Default')
      await site.harbor.retain('team/a', (tags) => tags.has('2'))
      await eventually(() => got.length === 2)
      const gone = got.find(({ body }) => body['type'] === 'DELETE_ARTIFACT')
      expect(gone?.body['operator']).toBe('harbor-jobservice')
      expect(got.some(({ body }) => body['type'] === 'TAG_RETENTION')).toBe(true)
    })

    it('are tried three times, after 35 and then 82 seconds, and no more', async () => {
      await site.harbor[Symbol.asyncDispose]()
      const waits: number[] = []
      site.harbor = await startHarbor({
        wait: (ms) => {
          waits.push(ms)
          return Promise.resolve()
        },
      })
      site.harbor.addProject('team')
      await listen('team', 'Default', 503)
      await site.push('team/a:1')
      await eventually(() => site.harbor.delivered.length === 3)
      expect(site.harbor.delivered.map(({ attempt, status }) => [attempt, status])).toEqual([
        [1, 503],
        [2, 503],
        [3, 503],
      ])
      expect(waits).toEqual([35_000, 82_000])
    })
  })
})
