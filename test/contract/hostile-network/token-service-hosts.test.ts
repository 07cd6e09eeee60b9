import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { failureOf, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, TAG, twoOrigins, type TwoOrigins, wantToken } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('token services', () => {
  it.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/token'],
    ['another loopback address', 'http://127.0.0.2:6379/token'],
  ])('on %s are not asked', async (_, realm) => {
    origins.registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(origins.repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it('that redirect to the metadata service of a cloud are not followed there', async () => {
    origins.other.script({}, ({ response }) =>
      response.writeHead(302, { location: 'http://169.254.169.254/token' }).end(),
    )
    origins.registry.script(
      {},
      wantToken(() => false, `${origins.other.url}/token`),
    )

    const failure = await failureOf(origins.repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it('on another host in plain http get no credentials', async () => {
    origins.registry.script(
      {},
      wantToken(() => false, 'http://tokens.example/token'),
    )

    const failure = await failureOf(origins.repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/tokens\.example.*in the clear/)
  })

  it('that redirect elsewhere do not take the credentials along', async () => {
    const third = await origins.third()
    third.script({}, ({ response }) => response.end(JSON.stringify({ token: 'x' })))
    origins.other.script({}, ({ response }) =>
      response.writeHead(302, { location: `${third.url}/token` }).end(),
    )
    origins.registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', `${origins.other.url}/token`),
    )

    await origins.repo(ACCOUNT).getManifest(TAG, SIGNAL)

    expect(origins.other.requests[0]?.headers.authorization).toBeDefined()
    expect(third.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })
})
