import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse } from '../../support/registry/scripted-registry.ts'
import { failureOf, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, TAG, twoOrigins, type TwoOrigins } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('refusals', () => {
  it.each([401, 403])('with %i to strangers may mean that it is not there', async (status) => {
    origins.registry.script({}, ({ response }) => {
      refuse(response, status, 'DENIED', 'requested access to the resource is denied')
    })

    const failure = await failureOf(origins.repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status, codes: ['DENIED'] })
    expect(String(failure)).toMatch(/does not exist: check its name/)
  })

  it('for ever by Basic are asked once per request', async () => {
    origins.registry.script({}, ({ response }) => {
      response.setHeader('www-authenticate', 'Basic realm="x"')
      refuse(response, 401, 'UNAUTHORIZED')
    })
    const client = origins.repo(ACCOUNT)
    await failureOf(client.getManifest(TAG, SIGNAL))
    const before = origins.registry.requests.length

    await failureOf(client.getManifest(TAG, SIGNAL))

    expect(origins.registry.requests.length - before).toBe(1)
  })

  it('that demand something else with each answer come to an end', async () => {
    origins.other.script({}, ({ response }) => response.end(JSON.stringify({ token: 'x' })))
    origins.registry.script({}, ({ response }) => {
      const scope = `repository:number-${origins.registry.requests.length}:pull`
      response.setHeader(
        'www-authenticate',
        `Bearer realm="${origins.other.url}/token",scope="${scope}"`,
      )
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await failureOf(origins.repo(ACCOUNT).getManifest(TAG, SIGNAL))).toMatchObject({
      status: 401,
    })
    // Four for the manifest, four for the tags, and two for the account.
    expect(origins.registry.requests.length).toBeLessThan(11)
  })

  it('with a long page of nonsense are told in one clean line', async () => {
    const nonsense = `bad\u001b[31m\r\nnews\u202e ${'x'.repeat(20_000)}`
    origins.registry.script({}, ({ response }) => {
      refuse(response, 400, 'MANIFEST_INVALID', nonsense)
    })

    const failure = await failureOf(origins.repo().getManifest(TAG, SIGNAL))

    const { message } = failure as Error
    expect(message).toContain('400 MANIFEST_INVALID (bad [31m news x')

    expect(message).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(message.length).toBeLessThan(700)
  })

  it('with an endless page are not read to the end', async () => {
    origins.registry.script({}, ({ response }) => {
      response.writeHead(400)
      const more = () => {
        while (response.write('x'.repeat(10_000)));
      }
      response.on('drain', more)
      more()
    })

    expect(await failureOf(origins.repo().getManifest(TAG, SIGNAL))).toMatchObject({ status: 400 })
  })
})
