import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../support/harbor/state.ts'
import { basic, harborSite, type HarborSite } from './harbor-site.ts'

/** What Harbor v2.15.2 answered when it was asked; the stand-in must answer the same. */
describe('the stand-in for Harbor', () => {
  let site: HarborSite

  beforeEach(async () => {
    site = await harborSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it.each(['team/a', 'open/a', 'nosuch/a'])('sends strangers of %s for a token', async (name) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await site.ask(method, `/v2/${name}/manifests/1`)
      expect(answer.status).toBe(401)
      expect(answer.challenge).toBe(
        `Bearer realm="${site.harbor.url}/service/token",service="harbor-registry",scope="repository:${name}:pull"`,
      )
    }
  })

  it("makes the realm of the request's Host and its forwarded protocol", async () => {
    const { port } = site.harbor
    const { request } = await import('node:http')
    const headers = { host: 'gateway.example', 'x-forwarded-proto': 'https' }
    const challenge = await new Promise((resolve) => {
      request({ port, path: '/v2/', headers }, (answer) => {
        answer.resume()
        resolve(answer.headers['www-authenticate'])
      }).end()
    })
    expect(challenge).toContain('realm="https://gateway.example/service/token"')
  })

  it('grants all that the account may do, not what was asked for', async () => {
    const scope = 'repository:team/a:pull'
    const robot = site.harbor.addRobot('ci', ['pull', 'push'], 'team')
    const actions = async (account: Account | undefined) =>
      (await site.tokenOf(account, scope)).access[0]?.actions
    expect(await actions(site.guest)).toEqual(['pull'])
    expect(await actions(site.developer)).toEqual(['pull', 'push'])
    expect(await actions(robot)).toEqual(['pull', 'push'])
    expect(await actions(site.harbor.admin)).toEqual(['pull', 'push', 'delete'])
    expect(await actions(undefined)).toEqual([])
  })

  it('answers a wrong password with a token for nothing, and without a scope with 401', async () => {
    const wrong = { ...site.developer, password: 'wrong' }
    expect((await site.tokenOf(wrong, 'repository:open/a:pull')).access[0]?.actions).toEqual([])
    expect((await site.ask('GET', '/service/token', basic(wrong))).status).toBe(401)
    expect((await site.ask('POST', '/service/token', basic(site.developer))).status).toBe(405)
  })

  it('tells a private project, a missing one and a missing repository apart only by GET', async () => {
    const { token } = await site.tokenOf(undefined, 'repository:team/s1:pull')
    const get = (path: string) => site.ask('GET', `/v2/${path}`, token)
    const hidden = await get('team/s1/manifests/1')
    expect([hidden.status, hidden.challenge]).toEqual([401, 'Basic realm="harbor"'])
    expect(hidden.body).toContain('unauthorized to access repository: team/s1, action: pull')
    const missing = await get('nosuch/s1/manifests/1')
    expect([missing.status, missing.challenge]).toEqual([401, null])
    expect(missing.body).toContain('project nosuch not found')
    const empty = await get('open/s1/manifests/1')
    expect([empty.status, empty.body]).toEqual([404, expect.stringContaining('NOT_FOUND')])
    for (const path of ['team/s1', 'nosuch/s1']) {
      const head = await site.ask('HEAD', `/v2/${path}/manifests/1`, token)
      expect([head.status, head.body]).toEqual([401, ''])
    }
  })

  it('refuses a push without the right with 401, though the token service gave a token', async () => {
    const { token } = await site.tokenOf(site.guest, 'repository:team/a:pull,push')
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/1'],
    ] as const) {
      const answer = await site.ask(method, `/v2/team/a/${path}`, token)
      expect([answer.status, answer.challenge]).toEqual([401, 'Basic realm="harbor"'])
      expect(answer.body).toContain('action: push')
    }
  })

  it('tells its catalog to Basic with the right alone', async () => {
    await site.push('team/a:1')
    const robot = site.harbor.addRobot('list', ['catalog'], 'team')
    const { token } = await site.tokenOf(site.harbor.admin, 'registry:catalog:*')
    for (const shown of [undefined, token, basic(site.developer)]) {
      const answer = await site.ask('GET', '/v2/_catalog', shown)
      expect([answer.status, answer.challenge]).toEqual([401, 'Basic realm="harbor"'])
    }
    const listed = await site.ask('GET', '/v2/_catalog', basic(robot))
    expect(JSON.parse(listed.body)).toEqual({ repositories: ['team/a'] })
  })
})
