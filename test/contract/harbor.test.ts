import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startHarbor, type TestHarbor } from '../support/harbor/harbor.ts'
import type { Account, Policy } from '../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../support/image.ts'
import { pushOverHttp, putManifest } from '../support/push-over-http.ts'
import { pushReferrer } from '../support/referrer.ts'

/** What Harbor v2.15.2 answered when it was asked; the stand-in must answer the same. */
describe('the stand-in for Harbor', () => {
  let harbor: TestHarbor
  let developer: Account
  let guest: Account
  const open: AsyncDisposable[] = []

  beforeEach(async () => {
    harbor = await startHarbor()
    harbor.addProject('team')
    harbor.addProject('open', { public: true })
    developer = harbor.addUser('dev', 'developer', 'team')
    guest = harbor.addUser('guest', 'guest', 'team')
  })

  afterEach(async () => {
    for (const each of [...open.splice(0), harbor]) await each[Symbol.asyncDispose]()
  })

  const loginOf = ({ name, password }: Account) => `${name}:${password}`
  const basic = (account: Account) => `Basic ${btoa(loginOf(account))}`

  interface Sent {
    readonly body?: Buffer
    readonly headers?: Readonly<Record<string, string>>
  }

  async function ask(method: string, path: string, authorization?: string, sent: Sent = {}) {
    const headers = { ...sent.headers, ...(authorization !== undefined && { authorization }) }
    const response = await fetch(`${harbor.url}${path}`, { ...sent, method, headers })
    const body = await response.text()
    return {
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      headers: response.headers,
      body,
    }
  }

  async function tokenOf(account: Account | undefined, ...scopes: string[]) {
    const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join('')
    const path = `/service/token?service=harbor-registry${query}`
    const answer = await ask('GET', path, account && basic(account))
    const { token } = JSON.parse(answer.body) as { token: string }
    const [, claims = ''] = token.split('.')
    const { access } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      access: { name: string; actions: string[] }[]
    }
    return { token: `Bearer ${token}`, access }
  }

  async function push(name: string, options: Parameters<typeof buildImage>[0] = {}) {
    const image = await buildImage({ platforms: ['linux/amd64'], index: false, ...options })
    open.push(image)
    await pushTo(name, image)
    return image
  }

  function pushTo(name: string, image: BuiltImage) {
    const [repository = '', tag = ''] = name.split(':')
    const credentials = loginOf(harbor.admin)
    return pushOverHttp(image, { url: harbor.url, repository, tag, credentials })
  }

  const at = (repository: string) => ({
    ...{ url: harbor.url, repository, credentials: loginOf(harbor.admin) },
  })
  const as = (repository: string) => ({ ...at(repository), tag: '' })

  it.each(['team/a', 'open/a', 'nosuch/a'])('sends strangers of %s for a token', async (name) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await ask(method, `/v2/${name}/manifests/1`)
      expect(answer.status).toBe(401)
      expect(answer.challenge).toBe(
        `Bearer realm="${harbor.url}/service/token",service="harbor-registry",scope="repository:${name}:pull"`,
      )
    }
  })

  it("makes the realm of the request's Host and its forwarded protocol", async () => {
    const { port } = harbor
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
    const robot = harbor.addRobot('ci', ['pull', 'push'], 'team')
    const actions = async (account: Account | undefined) =>
      (await tokenOf(account, scope)).access[0]?.actions
    expect(await actions(guest)).toEqual(['pull'])
    expect(await actions(developer)).toEqual(['pull', 'push'])
    expect(await actions(robot)).toEqual(['pull', 'push'])
    expect(await actions(harbor.admin)).toEqual(['pull', 'push', 'delete'])
    expect(await actions(undefined)).toEqual([])
  })

  it('answers a wrong password with a token for nothing, and without a scope with 401', async () => {
    const wrong = { ...developer, password: 'wrong' }
    expect((await tokenOf(wrong, 'repository:open/a:pull')).access[0]?.actions).toEqual([])
    expect((await ask('GET', '/service/token', basic(wrong))).status).toBe(401)
    expect((await ask('POST', '/service/token', basic(developer))).status).toBe(405)
  })

  it('tells a private project, a missing one and a missing repository apart only by GET', async () => {
    const { token } = await tokenOf(undefined, 'repository:team/s1:pull')
    const get = (path: string) => ask('GET', `/v2/${path}`, token)
    const hidden = await get('team/s1/manifests/1')
    expect([hidden.status, hidden.challenge]).toEqual([401, 'Basic realm="harbor"'])
    expect(hidden.body).toContain('unauthorized to access repository: team/s1, action: pull')
    const missing = await get('nosuch/s1/manifests/1')
    expect([missing.status, missing.challenge]).toEqual([401, null])
    expect(missing.body).toContain('project nosuch not found')
    const empty = await get('open/s1/manifests/1')
    expect([empty.status, empty.body]).toEqual([404, expect.stringContaining('NOT_FOUND')])
    for (const path of ['team/s1', 'nosuch/s1']) {
      const head = await ask('HEAD', `/v2/${path}/manifests/1`, token)
      expect([head.status, head.body]).toEqual([401, ''])
    }
  })

  it('refuses a push without the right with 401, though the token service gave a token', async () => {
    const { token } = await tokenOf(guest, 'repository:team/a:pull,push')
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/1'],
    ] as const) {
      const answer = await ask(method, `/v2/team/a/${path}`, token)
      expect([answer.status, answer.challenge]).toEqual([401, 'Basic realm="harbor"'])
      expect(answer.body).toContain('action: push')
    }
  })

  it('refuses an immutable tag even for the same digest, and takes that by digest', async () => {
    harbor.addProject('fixed', { immutable: 'v*' })
    const image = await push('fixed/a:v1')
    await expect(pushTo('fixed/a:v1', image)).rejects.toThrow(/412 .*configured as immutable/)
    await putManifest(image.top, image.top.digest, as('fixed/a'))
  })

  it('mounts by right on the source, and refuses with 401 what 202 would be elsewhere', async () => {
    const image = await push('team/from:1')
    harbor.addProject('other')
    const [blob] = image.blobs
    const mount = async (from: string, digest: string | undefined) => {
      const path = `/v2/team/to/blobs/uploads/?mount=${digest ?? ''}&from=${from}`
      return await ask('POST', path, basic(developer))
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
    const project = harbor.addProject('small', { quota: 100 })
    await expect(push('small/a:1')).rejects.toThrow(/PUT .*403 .*exceed the configured upper limit/)
    project.quota = -1
    const image = await push('small/a:2')
    project.quota = project.used
    await expect(putManifest(image.top, '3', as('small/a'))).rejects.toThrow(/403 .*DENIED/)
  })

  it('takes nothing while it is read-only', async () => {
    harbor.state.readOnly = true
    const answer = await ask('POST', '/v2/team/a/blobs/uploads/', basic(developer))
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('The system is in read only mode. Any modification is prohibited.'),
    ])
  })

  it('refuses an index whose children are missing', async () => {
    const image = await buildImage()
    open.push(image)
    await expect(putManifest(image.top, '1', as('team/a'))).rejects.toThrow(
      /400 .*MANIFEST_BLOB_UNKNOWN/,
    )
  })

  it('deletes a tag by its own API only, and tells nobody', async () => {
    const image = await push('team/a:1')
    await putManifest(image.top, '2', as('team/a'))
    const registry = await ask('DELETE', '/v2/team/a/manifests/1', basic(harbor.admin))
    expect([registry.status, registry.body]).toEqual([400, expect.stringContaining('UNSUPPORTED')])
    const path = '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1'
    expect((await ask('DELETE', path, basic(harbor.admin))).status).toBe(200)
    const tags = await ask('GET', '/v2/team/a/tags/list', basic(developer))
    expect(JSON.parse(tags.body)).toEqual({ name: 'team/a', tags: ['2'] })
  })

  it('lists no tags as an empty list, and 404 for no repository', async () => {
    const image = await push('team/a:1')
    await ask(
      'DELETE',
      '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1',
      basic(harbor.admin),
    )
    const tags = await ask('GET', '/v2/team/a/tags/list', basic(developer))
    expect([tags.status, JSON.parse(tags.body)]).toEqual([200, { name: 'team/a', tags: [] }])
    expect((await ask('GET', '/v2/team/none/tags/list', basic(developer))).status).toBe(404)
    expect(harbor.state.artifact('team/a', image.top.digest)).toBeDefined()
  })

  it("lists referrers, a cosign tag's too, and an empty index for what is not there", async () => {
    const image = await push('team/a:1')
    const list = async (name: string, digest: string) => {
      const answer = await ask('GET', `/v2/${name}/referrers/${digest}`, basic(developer))
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
    const common = { ...at('team/a'), artifactType: 'application/spdx+json' }
    const sbom = await pushReferrer({ ...common, content: 'an SBOM', subject })
    const tag = `${subject.digest.replace(':', '-')}.sig`
    const signature = await pushReferrer({ ...common, content: 'a signature', tag })
    const digests = (await list('team/a', subject.digest)).map(({ digest }) => digest)
    expect(new Set(digests)).toEqual(new Set([sbom.digest, signature.digest]))
    const again = await ask('PUT', `/v2/team/a/manifests/${sbom.digest}`, basic(developer), {
      body: sbom.bytes,
      headers: { 'content-type': sbom.mediaType },
    })
    expect(again.headers.get('oci-subject')).toBe(subject.digest)
  })

  it('tells its catalog to Basic with the right alone', async () => {
    await push('team/a:1')
    const robot = harbor.addRobot('list', ['catalog'], 'team')
    const { token } = await tokenOf(harbor.admin, 'registry:catalog:*')
    for (const shown of [undefined, token, basic(developer)]) {
      const answer = await ask('GET', '/v2/_catalog', shown)
      expect([answer.status, answer.challenge]).toEqual([401, 'Basic realm="harbor"'])
    }
    const listed = await ask('GET', '/v2/_catalog', basic(robot))
    expect(JSON.parse(listed.body)).toEqual({ repositories: ['team/a'] })
  })

  it('gives an unsigned image to nobody under a signature policy, and a signed one out', async () => {
    harbor.addProject('signed', { contentTrust: true })
    const image = await push('signed/a:1')
    const robot = harbor.addRobot('ci', ['pull', 'push'], 'signed')
    const head = await ask('HEAD', '/v2/signed/a/manifests/1', basic(robot))
    expect([head.status, head.body]).toEqual([412, ''])
    const get = await ask('GET', '/v2/signed/a/manifests/1', basic(robot))
    expect(get.body).toContain('PROJECTPOLICYVIOLATION')
    expect(get.body).toContain('The image is not signed by cosign.')
    const tag = `${image.top.digest.replace(':', '-')}.sig`
    await pushReferrer({ ...at('signed/a'), artifactType: 'x/y', content: 'signature', tag })
    expect((await ask('HEAD', '/v2/signed/a/manifests/1', basic(robot))).status).toBe(200)
  })

  it('takes no pushes into a proxy cache', async () => {
    harbor.addProject('cache', { registryId: 1 })
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/1'],
    ] as const) {
      const answer = await ask(method, `/v2/cache/a/${path}`, basic(harbor.admin))
      expect([answer.status, answer.body]).toEqual([
        403,
        expect.stringContaining('can not push artifact to a proxy project: cache'),
      ])
    }
  })

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
      open.push({
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
      harbor.state.projects.get(project)?.policies.push(policy as Policy)
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
      const image = await push('team/a:1', {
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
      await push('team/a:1')
      await eventually(() => got.length === 1)
      expect(got[0]?.type).toBe('application/cloudevents+json')
      expect(got[0]?.body).toMatchObject({ specversion: '1.0', type: 'harbor.artifact.pushed' })
    })

    it('tell of GETs, but not of HEADs nor of Harbor itself', async () => {
      await push('team/a:1')
      const got = await listen('team', 'Default')
      await ask('HEAD', '/v2/team/a/manifests/1', basic(developer))
      const own = { headers: { 'user-agent': 'harbor-registry-client' } }
      await ask('GET', '/v2/team/a/manifests/1', basic(developer), own)
      await ask('GET', '/v2/team/a/manifests/1', basic(developer))
      await eventually(() => got.length === 1)
      expect(got[0]?.body).toMatchObject({ type: 'PULL_ARTIFACT', operator: 'dev' })
    })

    it('tell once of an artifact of two tags that is deleted, and never of a tag alone', async () => {
      const image = await push('team/a:1')
      await putManifest(image.top, '2', as('team/a'))
      await putManifest(image.top, '3', as('team/a'))
      const got = await listen('team', 'Default')
      const tag = '/api/v2.0/projects/team/repositories/a/artifacts/1/tags/1'
      await ask('DELETE', tag, basic(harbor.admin))
      await ask('DELETE', `/v2/team/a/manifests/${image.top.digest}`, basic(harbor.admin))
      await eventually(() => got.length === 1)
      expect(resourceOf(got[0]?.body ?? {})).toMatchObject({ tag: '2', digest: image.top.digest })
    })

    it('tell of each artifact that retention takes, and of the retention', async () => {
      await push('team/a:1')
      await push('team/a:2')
      const got = await listen('team', 'Default')
      await harbor.retain('team/a', (tags) => tags.has('2'))
      await eventually(() => got.length === 2)
      const gone = got.find(({ body }) => body['type'] === 'DELETE_ARTIFACT')
      expect(gone?.body['operator']).toBe('harbor-jobservice')
      expect(got.some(({ body }) => body['type'] === 'TAG_RETENTION')).toBe(true)
    })

    it('are tried three times, after 35 and then 82 seconds, and no more', async () => {
      await harbor[Symbol.asyncDispose]()
      const waits: number[] = []
      harbor = await startHarbor({
        wait: (ms) => {
          waits.push(ms)
          return Promise.resolve()
        },
      })
      harbor.addProject('team')
      await listen('team', 'Default', 503)
      await push('team/a:1')
      await eventually(() => harbor.delivered.length === 3)
      expect(harbor.delivered.map(({ attempt, status }) => [attempt, status])).toEqual([
        [1, 503],
        [2, 503],
        [3, 503],
      ])
      expect(waits).toEqual([35_000, 82_000])
    })
  })
})
