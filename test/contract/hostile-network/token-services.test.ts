import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { refuse } from '../../support/registry/scripted-registry.ts'
import { failureOf, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, MANIFEST, TAG, twoOrigins, type TwoOrigins, wantToken } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('token services', () => {
  it('are asked with the credentials, for the service and the scope', async () => {
    const { realm, requests } = origins.giveTokens()
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer t1', realm),
    )

    expect(await origins.repo(ACCOUNT).getManifest(TAG, SIGNAL)).toEqual(MANIFEST)

    expect(requests).toHaveLength(1)
    expect(requests[0]?.path).toBe('/token?service=s&scope=repository%3Ateam%2Fapp%3Apull')
    expect(requests[0]?.headers.authorization).toMatch(/^Basic /)
  })

  it('are asked without credentials when there are none', async () => {
    const { realm, requests } = origins.giveTokens()
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer t1', realm),
    )

    await origins.repo().getManifest(TAG, SIGNAL)

    expect(requests[0]?.headers.authorization).toBeUndefined()
  })

  it.each([
    ['only access_token', { access_token: 'x' }],
    ['an empty token beside access_token', { token: '', access_token: 'x' }],
    ['no expiry', { token: 'x' }],
  ])('may answer with %s', async (_, body) => {
    const { realm, requests } = origins.giveTokens(() => body)
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )
    const client = origins.repo()

    await client.getManifest(TAG, SIGNAL)
    await client.getManifest(TAG, SIGNAL)

    expect(requests).toHaveLength(1)
  })

  it.each([
    ['no token', {}],
    ['a token that breaks the header', { token: 'x\r\nX-Injected: 1' }],
    ['a token of a megabyte', { token: 'x'.repeat(1024 * 1024) }],
    ['a token that is a number', { token: 7 }],
  ])('that answer %s are told so', async (_, body) => {
    const { realm } = origins.giveTokens(() => body)
    origins.registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(origins.repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ name: 'RegistryError', disposition: 'transient' })
    expect(String(failure)).toMatch(/get a token/)
  })

  it('whose tokens serve once are asked for each request', async () => {
    const { realm } = origins.giveTokens()
    const used = new Set<string | undefined>([undefined])
    origins.registry.script(
      {},
      wantToken((shown) => !used.has(shown) && used.add(shown).size > 0, realm),
    )
    const client = origins.repo()

    for (let round = 0; round < 3; round += 1) {
      expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    }
  })

  it('whose new token is refused are not asked again: the credentials are blamed', async () => {
    const { realm, requests } = origins.giveTokens()
    origins.registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(origins.repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toMatch(/upstreams\.hq\.username and upstreams\.hq\.passwordFile/)
    expect(String(failure)).not.toContain(ACCOUNT.password)
    // For the manifest, for the list of tags, which might show the right to read, and for the account.
    expect(requests).toHaveLength(3)
  })

  it('are asked anew once a kept token is refused', async () => {
    const { realm, requests } = origins.giveTokens()
    let good = 'Bearer t1'
    origins.registry.script(
      {},
      wantToken((shown) => shown === good, realm),
    )
    const client = origins.repo()
    await client.getManifest(TAG, SIGNAL)
    good = 'Bearer t2'

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    expect(requests).toHaveLength(2)
  })

  it('of Harbor are remembered although it then answers with a Basic challenge', async () => {
    const { realm } = origins.giveTokens()
    let good = 'Bearer t1'
    origins.registry.script({}, async (turn) => {
      const { authorization } = turn.request.headers
      if (authorization === undefined || authorization === good) {
        await wantToken((shown) => shown === good, realm)(turn)
        return
      }
      turn.response.setHeader('www-authenticate', 'Basic realm="harbor"')
      refuse(turn.response, 401, 'UNAUTHORIZED')
    })
    const client = origins.repo(ACCOUNT)
    await client.getManifest(TAG, SIGNAL)
    good = 'Bearer t2'

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    const shown = origins.registry.requests.map(({ headers }) => headers.authorization)
    expect(shown.some((each) => each?.startsWith('Basic'))).toBe(false)
  })

  it('are asked for what else the registry wants to see', async () => {
    const { realm, requests } = origins.giveTokens()
    origins.registry.script({}, async ({ request, response, serve }) => {
      const scoped = requests.at(-1)?.path.includes('repository%3Amirror%2Fteam%2Fapp%3Apull')
      if (request.headers.authorization !== undefined && scoped === true) {
        await serve()
        return
      }
      const scope = 'repository:mirror/team/app:pull'
      response.setHeader('www-authenticate', `Bearer realm="${realm}",scope="${scope}"`)
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await origins.repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('that fail for a moment are asked again', async () => {
    const { realm } = origins.giveTokens(() => ({ token: 'x' }))
    origins.other.script({ times: 2 }, ({ response }) => {
      refuse(response, 503, 'UNAVAILABLE')
    })
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )

    expect(await origins.repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('that do not come back are asked no oftener than anything else, three times', async () => {
    const { realm, requests } = origins.giveTokens()
    origins.other.script({}, ({ response }) => {
      refuse(response, 503, 'UNAVAILABLE')
    })
    origins.registry.script(
      {},
      wantToken(() => false, realm),
    )
    const client = origins.repo()

    expect(await failureOf(client.getManifest(TAG, SIGNAL))).toMatchObject({ status: 503 })
    expect(requests).toHaveLength(3)
    // Once more with what was learnt the first time.
    expect(await failureOf(client.getManifest(TAG, SIGNAL))).toMatchObject({ status: 503 })
    expect(requests).toHaveLength(6)
    expect(origins.registry.requests).toHaveLength(2)
  })

  it('are asked once for many at the same time, and the first to go away harms nobody', async () => {
    const { realm, requests } = origins.giveTokens(() => ({ token: 'x' }))
    const abort = new AbortController()
    let give: () => void = () => undefined
    const given = new Promise<void>((resolve) => {
      give = resolve
    })
    origins.other.script({}, async ({ response }) => {
      await given
      response.end(JSON.stringify({ token: 'x' }))
    })
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )
    const client = origins.repo()
    const first = failureOf(client.getManifest(TAG, abort.signal))
    await eventually(() => requests.length === 1)
    const others = Array.from({ length: 10 }, () => client.getManifest(TAG, SIGNAL))
    await new Promise(setImmediate)
    abort.abort(new Error('gone'))
    await first
    give()

    expect(await Promise.all(others)).toHaveLength(10)
    expect(requests).toHaveLength(1)
  })
})
