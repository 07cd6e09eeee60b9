import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenge } from '../../../../src/registry/auth/challenge.ts'

describe('parseChallenge', () => {
  it('reads the challenge of a token service', () => {
    const header =
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:team/app:pull,push"'

    expect(parseChallenge(header)).toEqual({
      kind: 'bearer',
      realm: 'https://auth.example/token',
      service: 'registry.example',
      scopes: ['repository:team/app:pull,push'],
    })
  })

  it.each([
    ['nothing', undefined, undefined],
    ['an empty header, as Harbor sends for a missing project', '', undefined],
    ['a scheme that it does not know', 'Negotiate YIIabc==', undefined],
    ['Bearer without a realm', 'Bearer service="x"', undefined],
    ['Basic', 'Basic realm="harbor"', { kind: 'basic' }],
    ['Basic in other letters, with nothing after it', 'bASIC', { kind: 'basic' }],
  ])('makes of %s what it is', (_, header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge)
  })

  it.each([
    ['beside Basic', 'Basic realm="a, b", Bearer realm="https://x/t",service="s"'],
    ['before Basic', 'Bearer realm="https://x/t",service="s", Basic realm="a"'],
    ['after a scheme with a token', 'Negotiate YII+/a==, Bearer realm="https://x/t", service="s"'],
    ['with spaces around its signs', 'Bearer realm = "https://x/t" , service = "s"'],
    ['with parameters in other letters', 'BEARER Realm="https://x/t",SERVICE="s"'],
    ['without quotes', 'Bearer realm=https://x/t,service=s'],
    ['with empty list elements', ', ,Bearer realm="https://x/t",,service="s",'],
    ['with an error', 'Bearer error="insufficient_scope",realm="https://x/t",service="s"'],
    ['with a second realm', 'Bearer realm="https://x/t",service="s",realm="https://evil/"'],
  ])('finds Bearer %s', (_, header) => {
    expect(parseChallenge(header)).toEqual({
      kind: 'bearer',
      realm: 'https://x/t',
      service: 's',
      scopes: [],
    })
  })

  it('reads quoted commas, equal signs and escaped quotes as text', () => {
    const header = String.raw`Bearer realm="https://x/t?a=1,b=2",service="a \"quoted\", name"`

    expect(parseChallenge(header)).toMatchObject({
      realm: 'https://x/t?a=1,b=2',
      service: 'a "quoted", name',
    })
  })

  it('reads several scopes', () => {
    expect(parseChallenge('Bearer realm="r",scope="repository:a:pull  repository:b:push"')).toEqual(
      expect.objectContaining({ scopes: ['repository:a:pull', 'repository:b:push'] }),
    )
  })

  it('comes to an end whatever is sent', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseChallenge(text)
        parseChallenge(`Bearer realm="x",${text}`)
      }),
    )
  })

  it('comes to an end soon on what is made to take long', () => {
    const began = performance.now()

    parseChallenge(`Bearer realm="${'\\"'.repeat(20_000)}`)
    parseChallenge(`${'a '.repeat(20_000)}"`)
    parseChallenge('a'.repeat(40_000))

    expect(performance.now() - began).toBeLessThan(1_000)
  })
})
