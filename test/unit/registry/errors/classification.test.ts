import { describe, expect, it } from 'vitest'
import { classify } from '../../../../src/registry/errors/classification.ts'
import { identityOf } from '../../../../src/registry/words/identity.ts'
import type { OperationKind } from '../../../../src/registry/words/operation.ts'

const REGISTRIES = {
  local: identityOf({ id: 'local', url: new URL('http://l'), username: 'u', trustedHosts: [] }),
  hq: identityOf({ id: 'hq', url: new URL('http://u'), username: 'u', trustedHosts: [] }),
  hub: identityOf({ id: 'hub', url: new URL('http://h'), trustedHosts: [] }),
}

interface Case {
  readonly at?: keyof typeof REGISTRIES
  readonly kind?: OperationKind
  readonly status: number
  readonly code?: string
  readonly text?: string
}

function judge({ at = 'hq', kind = 'manifest', status, code, text = '' }: Case) {
  const body = { codes: code === undefined ? [] : [code], text, unknown: [] }
  return classify(status, body, { registry: REGISTRIES[at], kind, intent: 'test' })
}

describe('classify', () => {
  it.each<[string, Case, RegExp]>([
    ['wrong credentials', { status: 401, code: 'UNAUTHORIZED' }, /upstreams\.hq\.passwordFile/],
    ['wrong local credentials', { at: 'local', status: 401 }, /local\.username/],
    ['none at a registry that wants some', { at: 'hub', status: 401 }, /does not exist/],
    ['no right to pull', { status: 403, code: 'DENIED' }, /upstreams\.hq\.username the right/],
    ['no right to push', { at: 'local', status: 403 }, /right to push/],
    [
      'a proxy project in Harbor',
      { at: 'local', status: 403, text: 'can not push artifact to a proxy project: x' },
      /normal project/,
    ],
    [
      'a project that Harbor does not have',
      { at: 'local', status: 401, text: 'project team not found' },
      /Create the project/,
    ],
    [
      'an immutable tag',
      { at: 'local', status: 412, text: "'redis:7.2' configured as immutable." },
      /immutable/,
    ],
    [
      'a kind of manifest that is not taken',
      { at: 'local', status: 400, code: 'MANIFEST_INVALID' },
      /a newer version/,
    ],
    [
      'a media type that is not taken',
      { at: 'local', status: 415 },
      /a newer version.*http\.compat: \["docker2s2"\]/,
    ],
    [
      'layers from elsewhere',
      { at: 'local', status: 500, code: 'MANIFEST_BLOB_UNKNOWN' },
      /urls\.allow/,
    ],
    ['a body that a proxy finds too large', { at: 'local', status: 413 }, /client_max_body_size/],
    [
      'a cache that takes no pushes',
      { at: 'local', kind: 'upload', status: 405, text: 'The operation is unsupported.' },
      /takes no pushes/,
    ],
    ['something that does not take a manifest', { at: 'local', status: 405 }, /no registry/],
    ['a redirected push', { at: 'local', status: 308 }, /local\.url/],
    ['an address that is no registry', { kind: 'check', status: 404 }, /upstreams\.hq\.url/],
    ['a redirect to https', { kind: 'moved', status: 401 }, /upstreams\.hq\.url/],
  ])('fails at once with %s', (_, given, advice) => {
    const found = judge(given)

    expect(found.disposition).toBe('permanent')
    expect(found.advice ?? '').toMatch(advice)
  })

  it.each<[string, Case]>([
    ['a server error', { status: 500 }],
    ['an overload', { status: 503 }],
    ['a gateway', { status: 502 }],
    ['a rate limit', { status: 429, code: 'TOOMANYREQUESTS' }],
    ['a rate limit that calls itself a quota', { status: 429, text: 'Quota exceeded' }],
    ['a rate limit under another status', { status: 403, code: 'TOOMANYREQUESTS' }],
    ['an upstream blob that is gone', { kind: 'blob', status: 404, code: 'BLOB_UNKNOWN' }],
    ['a lost upload', { at: 'local', kind: 'commit', status: 404, code: 'BLOB_UPLOAD_UNKNOWN' }],
    ['a wrong offset', { at: 'local', kind: 'commit', status: 416, code: 'RANGE_INVALID' }],
    [
      'a blob spoilt on the way',
      { at: 'local', kind: 'commit', status: 400, code: 'DIGEST_INVALID' },
    ],
    ['a token that ended during an upload', { at: 'local', kind: 'commit', status: 401 }],
    ['a signed link that has expired', { kind: 'storage', status: 403 }],
  ])('tries again after %s', (_, given) => {
    expect(judge(given)).toMatchObject({ disposition: 'transient' })
    expect(judge(given).content).toBeUndefined()
  })

  it.each<[string, Case]>([
    ['a manifest that came before its blob', { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' }],
    ['an index that came before its child', { status: 404, text: 'artifact x@sha256:1 not found' }],
  ])('says that something is missing in the local registry with %s', (_, given) => {
    expect(judge({ at: 'local', ...given })).toMatchObject({
      disposition: 'transient',
      content: 'missing',
    })
  })

  it.each<[string, Case]>([
    [
      'a full quota in Harbor',
      {
        status: 403,
        text: 'adding 1 MiB of storage resource, which when updated to current usage of 9 MiB will exceed the configured upper limit of 5 MiB.',
      },
    ],
    ['Harbor in read-only mode', { status: 403, text: 'The system is in read only mode.' }],
    ['a full disk', { status: 500, text: 'write /var/x: no space left on device' }],
    ['a full store', { status: 507 }],
    ['distribution in read-only mode', { status: 405, text: 'Method not allowed' }],
  ])('waits for somebody to act with %s', (_, given) => {
    const found = judge({ at: 'local', kind: 'upload', ...given })

    expect(found.disposition).toBe('parked')
    expect(found.advice).toBeDefined()
  })

  it.each([
    'The image is not signed by cosign.',
    'current image without vulnerability scanning cannot be pulled',
    'current image with 3 vulnerabilities cannot be pulled',
  ])('waits for what a policy withholds: %s', (text) => {
    const found = judge({ status: 412, code: 'PROJECTPOLICYVIOLATION', text })

    expect(found).toMatchObject({ disposition: 'parked', withheld: true })
    expect(found.advice).toMatch(/policy .* signed or scanned/)
  })
})
