import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RegistryRepository } from '../../src/registry/repository.ts'
import { refuse } from '../support/registry/scripted-registry.ts'
import { failureOf, SIGNAL } from './contract-content.ts'
import {
  ACCOUNT,
  MANIFEST,
  TAG,
  twoOrigins,
  type TwoOrigins,
  wantToken,
} from './hostile-network/two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

/** A registry that takes the password until it is withdrawn. */
const BY_PASSWORD = async () => {
  await origins.replaceRegistry({ basic: ACCOUNT })
  origins.registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
  return () => {
    origins.registry.script({}, ({ response }) => {
      response.setHeader('www-authenticate', 'Basic realm="other"')
      refuse(response, 401, 'UNAUTHORIZED')
    })
  }
}

/** One that takes tokens, each once, whose service does. */
const BY_TOKENS = () => {
  const { realm, requests } = origins.giveTokens()
  const used = new Set<string>()
  const isNew = (shown = '') =>
    shown === `Bearer t${requests.length}` && used.size < used.add(shown).size
  origins.registry.script({}, wantToken(isNew, realm))
  return () => {
    origins.other.script({}, ({ response }) => {
      refuse(response, 401, 'UNAUTHORIZED')
    })
  }
}

describe.each([
  ['by its password', BY_PASSWORD],
  ['by a token', BY_TOKENS],
])('an account that was let in %s and is not any more', (_, begin) => {
  let client: RegistryRepository

  beforeEach(async () => {
    const withdraw = await begin()
    client = origins.repo(ACCOUNT)
    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    withdraw()
  })

  it('is refused: that its project was readable does not make the image a missing one', async () => {
    const failure = await failureOf(client.getManifest(TAG, SIGNAL))
    expect(failure).toMatchObject({ status: 401, disposition: 'permanent' })
    expect(String(failure)).toMatch(/Check upstreams\.hq\.username/)
  })

  it('is refused the list of signatures, which is not an empty one', async () => {
    const failure = await failureOf(client.listReferrers(MANIFEST.digest, SIGNAL))
    expect(failure).toMatchObject({ status: 401 })
  })
})
