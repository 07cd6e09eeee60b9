import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { failureOf, repository, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, MANIFEST, pull, TAG, tokenSite, type TokenSite } from './token-site.ts'

let site: TokenSite

beforeEach(async () => {
  site = await tokenSite()
})

afterEach(() => site[Symbol.asyncDispose]())

describe('an identity token', () => {
  it.each([
    ['of a docker config', { identitytoken: 'refresh-me' }],
    ['of a docker config, as a login', { username: '<token>', password: 'refresh-me' }],
  ])('%s is exchanged by POST for an access token', async (_, entry) => {
    const asked = site.giveTokens((count) => ({ access_token: `t${count}`, expires_in: 300 }))
    site.wantToken(
      (shown) => shown === 'Bearer t1',
      `Bearer realm="${site.tokens.url}/t",service="s s"`,
    )

    expect(await pull(site.connect(await site.dockerConfig(entry)))).toEqual(MANIFEST)

    expect(asked.map(({ method }) => method)).toEqual(['POST'])
    expect(Object.fromEntries(asked[0]?.form ?? [])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-me',
      client_id: 'pullsync',
      service: 's s',
      scope: 'repository:team/app:pull',
    })
    expect(asked[0]?.authorization).toBeUndefined()
  })

  it('of the configuration is marked by its username', async () => {
    const asked = site.giveTokens()
    site.wantToken((shown) => shown === 'Bearer t1', `Bearer realm="${site.tokens.url}/t"`)

    await pull(site.connect({ username: '<token>', password: 'refresh-me' }))

    expect(asked[0]?.form.get('refresh_token')).toBe('refresh-me')
  })

  it('that is refused is told with its key, and without itself', async () => {
    site.tokens.script({}, ({ response }) =>
      response.writeHead(400).end('{"error":"invalid_grant"}'),
    )
    site.wantToken(() => false, `Bearer realm="${site.tokens.url}/t"`)

    const failure = await failureOf(
      pull(site.connect(await site.dockerConfig({ identitytoken: 'refresh-me' }))),
    )

    expect(failure).toMatchObject({ disposition: 'permanent', status: 400 })
    expect(String(failure)).toMatch(/get a token.*invalid_grant.*upstreams\.hq\.dockerConfig/)
    expect(String(failure)).not.toContain('refresh-me')
  })

  it('is of no use to a registry that wants a password, which is said', async () => {
    site.wantToken(() => false, 'Basic realm="r"')

    const failure = await failureOf(
      pull(site.connect(await site.dockerConfig({ identitytoken: 'refresh-me' }))),
    )

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/upstreams\.hq\.dockerConfig has an identity token/)
  })
})

describe('a token service that takes POST only', () => {
  it('gets the password in a form, and is asked by GET only once', async () => {
    const asked = site.giveTokens((count, { request }) =>
      request.method === 'POST' ? { access_token: `t${count}` } : undefined,
    )
    site.wantToken(
      (shown) => shown?.startsWith('Bearer t') ?? false,
      `Bearer realm="${site.tokens.url}/t"`,
    )
    const client = site.connect(ACCOUNT)

    await pull(client)
    await client.repository(repository('team/other')).headManifest(TAG, SIGNAL)

    expect(asked.map(({ method }) => method)).toEqual(['GET', 'POST', 'POST'])
    expect(Object.fromEntries(asked[1]?.form ?? [])).toMatchObject({
      ...ACCOUNT,
      grant_type: 'password',
    })
  })

  it('is not posted to by strangers', async () => {
    const asked = site.giveTokens(() => undefined)
    site.wantToken(() => false, `Bearer realm="${site.tokens.url}/t"`)

    expect(await failureOf(pull(site.connect()))).toMatchObject({ status: 405 })
    expect(asked.map(({ method }) => method)).toEqual(['GET'])
  })
})

describe('a token service that grants less than was asked', () => {
  const wanted = 'repository:team/app:pull'

  it.each([
    ['a token that allows nothing', (id: number) => ({ token: jwt([], id) })],
    [
      'a token that allows something else',
      (id: number) => ({
        token: jwt([{ type: 'repository', name: 'team/app', actions: ['push'] }], id),
      }),
    ],
    ['less, as OAuth2 tells it', (id: number) => ({ access_token: `t${id}`, scope: '' })],
  ])('with %s is asked once more, then what it did is told', async (_, answer) => {
    const asked = site.giveTokens(answer)
    site.wantToken(() => false, `Bearer realm="${site.tokens.url}/t"`)

    const failure = await failureOf(pull(site.connect(ACCOUNT)))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toContain(`the token service had granted less than ${wanted}.`)
    // For the manifest, for the tags that might show the right to read, and once for the account alone.
    expect(asked).toHaveLength(5)
  })

  it('at first only is given the second chance', async () => {
    const good = jwt([{ type: 'repository', name: 'team/app', actions: ['*'] }])
    site.giveTokens((count) => ({ token: count === 1 ? jwt([]) : good }))
    site.wantToken((shown) => shown === `Bearer ${good}`, `Bearer realm="${site.tokens.url}/t"`)

    expect(await pull(site.connect(ACCOUNT))).toEqual(MANIFEST)
  })

  it('but enough for the registry is left alone', async () => {
    const asked = site.giveTokens(() => ({ token: jwt([]) }))
    site.wantToken((shown) => shown !== undefined, `Bearer realm="${site.tokens.url}/t"`)

    expect(await pull(site.connect(ACCOUNT))).toEqual(MANIFEST)
    expect(asked).toHaveLength(1)
  })
})

describe('several scopes', () => {
  const challenge = () =>
    `Bearer realm="${site.tokens.url}/t",scope="repository:a:pull repository:b:pull,push"`
  const scopes = ['repository:team/app:pull', 'repository:a:pull', 'repository:b:pull,push']

  it('are asked for in one request', async () => {
    const asked = site.giveTokens()
    site.wantToken((shown) => shown === 'Bearer t1', challenge())

    await pull(site.connect(ACCOUNT))

    expect(asked.map(({ query }) => query.getAll('scope'))).toEqual([scopes])
  })

  it('stand in one field of a form', async () => {
    const asked = site.giveTokens()
    site.wantToken((shown) => shown === 'Bearer t1', challenge())

    await pull(site.connect(await site.dockerConfig({ identitytoken: 'x' })))

    expect(asked.map(({ form }) => form.getAll('scope'))).toEqual([[scopes.join(' ')]])
  })
})

describe('a token that ends in the middle of a job', () => {
  it('is renewed before it does, by its lifetime as the service told it', async () => {
    const asked = site.giveTokens((count) => ({ token: `t${count}`, expires_in: 0.05 }))
    site.wantToken(
      (shown) => shown?.startsWith('Bearer t') ?? false,
      `Bearer realm="${site.tokens.url}/t"`,
    )
    const client = site.connect(ACCOUNT)
    await pull(client)
    const refused = () => site.registry.requests.filter(({ headers }) => !headers.authorization)

    await eventually(async () => {
      await pull(client)
      return asked.length > 1
    })

    expect(refused()).toHaveLength(1)
  })
})

/** As the distribution project's tokens look; nobody here verifies them. */
function jwt(access: readonly object[], id = 0): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ access, id })}.x`
}
