import { describe, expect, it } from 'vitest'
import { readRegistryPath } from '../../../src/gateway/registry-path.ts'

const HEX = 'a'.repeat(64)

describe('readRegistryPath', () => {
  it.each([
    ['/v2/team/app/manifests/1.0', 'manifest', 'team/app', '1.0'],
    ['/v2/team/a/b/c/manifests/latest', 'manifest', 'team/a/b/c', 'latest'],
    [`/v2/team/app/manifests/sha256:${HEX}`, 'manifest', 'team/app', `sha256:${HEX}`],
    [`/v2/team/app/manifests/sha256%3A${HEX}`, 'manifest', 'team/app', `sha256:${HEX}`],
    // A repository may be called like a part of the path.
    ['/v2/team/manifests/manifests/1.0', 'manifest', 'team/manifests', '1.0'],
  ])('reads %s', (path, kind, repository, reference) => {
    expect(readRegistryPath(path)).toEqual({ kind, repository, reference })
  })

  it('reads the path of a blob', () => {
    expect(readRegistryPath(`/v2/team/app/blobs/sha256:${HEX}`)).toEqual({
      kind: 'blob',
      repository: 'team/app',
      digest: `sha256:${HEX}`,
    })
  })

  it.each([
    '/v2/',
    '/v2/_catalog',
    '/v2/team/app/tags/list',
    '/v2/team/app/blobs/uploads/',
    '/v2/team/app/blobs/latest',
    '/v2/Team/app/manifests/1.0',
    '/v2/../etc/manifests/passwd',
    '/v2/team//app/manifests/1.0',
    '/v2/team/app/manifests/',
    '/v2/team/app/manifests/%',
    '/v2/team/app/manifests/a%2Fb',
    `/v2/team/app/manifests/${'x'.repeat(129)}`,
    `/v2/${'a/'.repeat(200)}a/manifests/1.0`,
    '/v1/team/app/manifests/1.0',
  ])('leaves %s to the registry', (path) => {
    expect(readRegistryPath(path)).toEqual({ kind: 'other' })
  })
})
