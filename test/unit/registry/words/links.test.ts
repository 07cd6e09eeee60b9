import { describe, expect, it } from 'vitest'
import {
  followAway,
  followLocation,
  linksOf,
  withQuery,
} from '../../../../src/registry/words/links.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import { reference, repository } from '../../../contract/contract-content.ts'

describe('linksOf', () => {
  it('puts the specification’s endpoints below the registry’s own path', () => {
    const links = linksOf(new URL('https://art.example/artifactory/api/docker/hub/'))

    expect(links.root.href).toBe('https://art.example/artifactory/api/docker/hub/v2/')
    expect(links.manifest(repository('team/app'), reference('1.0')).href).toBe(
      'https://art.example/artifactory/api/docker/hub/v2/team/app/manifests/1.0',
    )
  })

  it('keeps the credentials of a URL out of all addresses', () => {
    expect(linksOf(new URL('https://user:secret@r.example')).root.href).toBe(
      'https://r.example/v2/',
    )
  })

  it('asks for a mount with everything it needs', () => {
    const digest = digestOf(Buffer.from('x'))
    const url = linksOf(new URL('http://r.example')).uploads(repository('a/b'), {
      mount: digest,
      from: 'c/d',
    })

    expect(url.pathname).toBe('/v2/a/b/blobs/uploads/')
    expect(Object.fromEntries(url.searchParams)).toEqual({ mount: digest, from: 'c/d' })
  })
})

describe('followLocation', () => {
  const asked = new URL('https://r.example/v2/team/app/blobs/uploads/')

  it.each([
    ['a path', '/v2/x?_state=a%2Fb', 'https://r.example/v2/x?_state=a%2Fb'],
    ['a relative path', 'abc', 'https://r.example/v2/team/app/blobs/uploads/abc'],
    [
      'a relative path that looks like a scheme',
      'id:1?_state=a',
      'https://r.example/v2/team/app/blobs/uploads/id:1?_state=a',
    ],
    ['another host', 'https://s3.example/x', 'https://s3.example/x'],
    ['credentials, which are dropped', 'https://u:p@s3.example/x', 'https://s3.example/x'],
    ['its own host in plain http', 'http://r.example/v2/x?a=1', 'https://r.example/v2/x?a=1'],
    ['its own host at another port', 'http://r.example:8080/v2/x', 'https://r.example/v2/x'],
    ['another host in plain http', 'http://s3.example/x', 'http://s3.example/x'],
  ])('reads %s', (_, location, url) => {
    expect(followLocation(location, asked)?.href).toBe(url)
  })

  it('is nothing for what is no address', () => {
    expect(followLocation('http://', asked)).toBeUndefined()
  })
})

describe('followAway', () => {
  it.each([
    ['http://r.example:9000/bucket/docker/registry/v2/x', undefined],
    ['https://r.example:9000/x', undefined],
    ['http://s3.example/x', undefined],
    ['http://r.example/x', 'https://r.example:8443/x'],
    ['http://r.example:8443/x', 'https://r.example:8443/x'],
    ['http://r.example:8080/v2/x', 'https://r.example:8443/v2/x'],
  ])('takes %s for %s', (location, url = location) => {
    expect(followAway(location, new URL('https://r.example:8443/v2/'))?.href).toBe(url)
  })

  it('takes no usual port for another', () => {
    const asked = new URL('https://r.example/v2/')

    expect(followAway('http://r.example:443/x', asked)?.href).toBe('https://r.example/x')
  })
})

describe('withQuery', () => {
  it('adds to a signed query without writing it anew', () => {
    const url = new URL('https://r.example/x?_state=a+b%2f%3D&empty')

    expect(withQuery(url, { digest: 'sha256:1' }).search).toBe(
      '?_state=a+b%2f%3D&empty&digest=sha256%3A1',
    )
  })
})
