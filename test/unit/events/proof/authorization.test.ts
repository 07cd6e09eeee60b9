import { describe, expect, it } from 'vitest'
import { authorizationOf } from '../../../../src/events/proof/authorization.ts'

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`
}

describe('authorizationOf', () => {
  it.each([
    ['a bearer token', 'Bearer abc', { verbatim: 'Bearer abc', bearer: 'abc' }],
    ['a scheme in other case', 'bEARER  abc', { verbatim: 'bEARER  abc', bearer: 'abc' }],
    ['a bare secret', 'abc', { verbatim: 'abc' }],
    ['an unknown scheme', 'Digest abc', { verbatim: 'Digest abc' }],
    ['a scheme alone', 'Bearer ', { verbatim: 'Bearer' }],
    ['nothing', undefined, { verbatim: '' }],
  ])('reads %s', (_, header, expected) => {
    expect(authorizationOf(header)).toEqual(expected)
  })

  it.each([
    ['user and password', 'ops:moon', 'ops', 'moon'],
    ['a password with a colon', 'ops:mo:on', 'ops', 'mo:on'],
    ['no user', ':moon', '', 'moon'],
    ['no password', 'ops', 'ops', ''],
    ['letters beyond ASCII', 'ops:mönd', 'ops', 'mönd'],
  ])('reads basic credentials with %s', (_, text, username, password) => {
    expect(authorizationOf(basic(text))).toMatchObject({ username, password })
  })
})
