import { describe, expect, it } from 'vitest'
import { canonicalPath, readRegistryPath } from '../../../src/gateway/registry-path.ts'

const HEX = 'a'.repeat(64)

const read = (path: string) => readRegistryPath(canonicalPath(path))

describe('readRegistryPath', () => {
  it.each([
    ['/v2/team/app/manifests/1.0', 'manifest', 'team/app', '1.0'],
    ['/v2/team/a/b/c/manifests/latest', 'manifest', 'team/a/b/c', 'latest'],
    [`/v2/team/app/manifests/sha256:${HEX}`, 'manifest', 'team/app', `sha256:${HEX}`],
    [`/v2/team/app/manifests/sha256%3A${HEX}`, 'manifest', 'team/app', `sha256:${HEX}`],
    // A repository may be called like a part of the path.
    ['/v2/team/manifests/manifests/1.0', 'manifest', 'team/manifests', '1.0'],
  ])('reads %s', (path, kind, repository, reference) => {
    expect(read(path)).toEqual({ kind, repository, reference })
  })

  it.each([
    [`/v2/team/app/blobs/sha256:${HEX}`, 'blob'],
    [`/v2/team/app/referrers/sha256%3a${HEX}`, 'referrers'],
  ])('reads %s', (path, kind) => {
    expect(read(path)).toEqual({ kind, repository: 'team/app', digest: `sha256:${HEX}` })
  })

  it.each([
    ['/v2', { kind: 'base' }],
    ['/v2/', { kind: 'base' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/team/app/tags/list', { kind: 'tags', repository: 'team/app' }],
    ['/v2/blobs/uploads/tags/list', { kind: 'tags', repository: 'blobs/uploads' }],
    ['/v2/team/app/blobs/uploads', { kind: 'upload', repository: 'team/app' }],
    ['/v2/team/app/blobs/uploads/', { kind: 'upload', repository: 'team/app' }],
    ['/v2/team/app/blobs/uploads/5-e.f_A~=', { kind: 'upload', repository: 'team/app' }],
    ['/v2/team/app/manifests/sha384:00ff', { kind: 'other', repository: 'team/app' }],
    ['/v2/team/app/blobs/sha256:short', { kind: 'other', repository: 'team/app' }],
  ])('reads %s', (path, asked) => {
    expect(read(path)).toEqual(asked)
  })

  it.each([
    '',
    '/',
    '/v2x',
    '//v2/',
    '/v2//',
    '/v2/.',
    '/v2/..',
    '/v2/../v2/',
    '/v2/%2e%2e/other/',
    '/v2/team/../../other',
    '/v2/team/%2e%2e/app/manifests/1.0',
    '/v2/team/app/manifests/..',
    '/v2/team/app/blobs/uploads/..',
    '/v2/team/app/blobs/uploads/...',
    '/v2/team/app/blobs/uploads/%2e%2e',
    '/v2/team/app/blobs/uploads/a/b',
    '/v2/team/app/blobs/uploads/a;b',
    '/v2/team/app/blobs/uploads/a\\..\\b',
    '/v2/team;x/app/manifests/1.0',
    '/v2/team\\app/manifests/1.0',
    '/v2/_catalog/',
    '/v2/_catalog/x',
    '/v2/team/app/tags/list/',
    '/v2/team/app/tags/other',
    '/v2/team/app/blobs/latest',
    '/v2/team/app/referrers/latest',
    '/v2/Team/app/manifests/1.0',
    '/v2/../etc/manifests/passwd',
    '/v2/team//app/manifests/1.0',
    '/v2/team/app/manifests/',
    '/v2/team/app/manifests/%',
    '/v2/team/app/manifests/a%2Fb',
    '/v2/team/app/manifests/1.0/',
    '/v2/team/app/manifests/1.0\u0000',
    `/v2/team/app/manifests/${'x'.repeat(129)}`,
    `/v2/${'a/'.repeat(200)}a/manifests/1.0`,
    '/v1/team/app/manifests/1.0',
    '/v2/team/app',
  ])('takes %j for no path of the API', (path) => {
    expect(read(path)).toBeUndefined()
  })
})
