import { describe, expect, it } from 'vitest'
import { realmOf } from '../../../../src/registry/auth/token-realm.ts'
import { identityOf } from '../../../../src/registry/words/identity.ts'
import { configFor } from '../../../contract/contract-content.ts'

function realm(registry: string, named: string, withCredentials = true): string {
  const config = configFor(registry, { id: 'hq' })
  const operation = { registry: identityOf(config), kind: 'token', intent: 'ask' } as const
  const challenge = { kind: 'bearer', realm: named, service: undefined, scopes: [] } as const
  return realmOf(challenge, config, operation, withCredentials).href
}

describe('where a registry sends us for tokens', () => {
  it.each([
    ['https://r.example', 'https://auth.example/token', 'https://auth.example/token'],
    ['https://r.example', 'http://r.example/token', 'https://r.example/token'],
    [
      'https://r.example:8443',
      'http://r.example:8443/token?a=b',
      'https://r.example:8443/token?a=b',
    ],
    ['https://r.example:8443', 'http://r.example/token', 'https://r.example:8443/token'],
    ['https://r.example', 'https://r.example:5001/token', 'https://r.example:5001/token'],
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5000/token', 'http://127.0.0.1:5000/token'],
    ['https://r.example', '/service/token', 'https://r.example/service/token'],
  ])('is, at %s, for %s', (registry, named, expected) => {
    expect(realm(registry, named)).toBe(expected)
  })

  it.each([
    ['another host', 'https://r.example', 'http://auth.example/token'],
    ['another port', 'http://127.0.0.1:5000', 'http://127.0.0.1:5001/token'],
    ['another port beside https', 'https://r.example', 'http://r.example:5001/token'],
  ])('is not %s in plain http', (_, registry, named) => {
    expect(() => realm(registry, named)).toThrow(/in the clear/)
  })

  it('is another port of the registry’s host in plain http, where nothing of ours goes there', () => {
    const named = 'http://r.example:5001/token'

    expect(realm('https://r.example', named, false)).toBe(named)
  })

  it.each([
    ['http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', /trustedHosts/],
    ['https://r.example', 'http://r.example:5001/token', /pass the Host header on/],
  ])('says at %s what helps against %s', (registry, named, advice) => {
    expect(() => realm(registry, named)).toThrow(advice)
  })
})
