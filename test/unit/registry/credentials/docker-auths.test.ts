import { describe, expect, it } from 'vitest'
import { dockerLogin, serverAddresses } from '../../../../src/registry/credentials/docker-auths.ts'

const HUB = new URL('https://registry-1.docker.io')
const GHCR = new URL('https://ghcr.io')
const LOGIN = { kind: 'password', username: 'u', password: 'p:with:colons' }

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

describe('an entry of auths', () => {
  it.each([
    ['auth', { auth: base64('u:p:with:colons') }, LOGIN],
    ['auth with NULs at its end', { auth: base64('u:p:with:colons\0\0') }, LOGIN],
    ['username and password', { username: 'u', password: 'p:with:colons' }, LOGIN],
    [
      'an identity token beside the username that docker login writes',
      { auth: base64('u:'), identitytoken: 'refresh' },
      { kind: 'identity-token', token: 'refresh' },
    ],
    [
      'the username that marks an identity token',
      { auth: base64('<token>:refresh') },
      { kind: 'identity-token', token: 'refresh' },
    ],
    ['a registry token', { registrytoken: 't' }, { kind: 'access-token', token: 't' }],
    ['nothing, as beside a credential store', {}, undefined],
    ['nonsense', { auth: 7 }, undefined],
    ['an auth without a colon', { auth: base64('u') }, undefined],
  ])('may hold %s', (_, entry, credentials) => {
    expect(dockerLogin({ auths: { 'ghcr.io': entry } }, GHCR).credentials).toEqual(credentials)
  })

  it.each([
    ['https://index.docker.io/v1/'],
    ['index.docker.io/v1/'],
    ['index.docker.io'],
    ['docker.io'],
    ['https://docker.io'],
    ['registry-1.docker.io'],
    ['https://registry-1.docker.io/v2/'],
  ])('for Docker Hub is found under %s', (name) => {
    const auths = { 'ghcr.io': {}, [name]: { username: 'u', password: 'p:with:colons' } }

    expect(dockerLogin({ auths }, HUB).credentials).toEqual(LOGIN)
    expect(dockerLogin({ auths }, new URL('https://quay.io')).credentials).toBeUndefined()
  })

  it.each([
    ['r.example:5000', 'https://r.example:5000'],
    ['https://r.example:5000/v2/', 'https://r.example:5000'],
    ['http://r.example:5000', 'http://r.example:5000'],
    ['R.example:443', 'https://r.example'],
    ['https://r.example/', 'https://r.example'],
    ['r.example/v1', 'https://r.example'],
  ])('named %s is for %s', (name, url) => {
    const auths = { [name]: { username: 'u', password: 'p:with:colons' } }

    expect(dockerLogin({ auths }, new URL(url)).credentials).toEqual(LOGIN)
  })

  it('for another port is not taken', () => {
    const auths = { 'r.example:5001': { username: 'u', password: 'p' } }

    expect(dockerLogin({ auths }, new URL('https://r.example:5000')).credentials).toBeUndefined()
  })

  it.each(['r.example/team', 'https://r.example/team/app', 'r.example/v2/team'])(
    'for a part of the registry, as %s, is not shown for the rest of it',
    (part) => {
      const other = { username: 'other', password: 'p' }
      const whole = { username: 'u', password: 'p:with:colons' }
      const url = new URL('https://r.example')

      const alone = dockerLogin({ auths: { [part]: other }, credHelpers: { [part]: 'x' } }, url)
      expect(alone).toMatchObject({ credentials: undefined, helper: undefined })
      expect(alone.part).toBe(part.replace('https://', ''))
      expect(dockerLogin({ auths: { [part]: other, 'r.example': whole } }, url)).toMatchObject({
        credentials: LOGIN,
      })
    },
  )

  it('of Docker Hub for an organisation is not shown for others', () => {
    const auths = { 'docker.io/acme': { username: 'u', password: 'p' } }

    expect(dockerLogin({ auths }, HUB).credentials).toBeUndefined()
  })
})

describe('a credential helper', () => {
  it('of the registry goes before the one for all', () => {
    const config = { credsStore: 'desktop', credHelpers: { 'ghcr.io': 'gh' } }

    expect(dockerLogin(config, GHCR).helper).toBe('gh')
    expect(dockerLogin(config, HUB).helper).toBe('desktop')
  })

  it('is asked for Docker Hub under its old name, for others under their host first', () => {
    expect(serverAddresses(HUB)).toEqual(['https://index.docker.io/v1/'])
    expect(serverAddresses(new URL('https://r.example:5000'))).toEqual([
      'r.example:5000',
      'https://r.example:5000',
    ])
  })
})

it('a file without any of it has nothing', () => {
  expect(dockerLogin({ auths: [], credHelpers: 'x', credsStore: '' }, GHCR)).toEqual({
    credentials: undefined,
    helper: undefined,
    known: [],
    part: undefined,
  })
})
