import { describe, expect, it } from 'vitest'
import { missInLogLine } from '../../../src/events/log-line.ts'

// As CNCF distribution 2.8.2 wrote it, but for the names.
const DISTRIBUTION = {
  'err.code': 'manifest unknown',
  'err.detail': 'unknown tag=1.0',
  'err.message': 'manifest unknown',
  'http.request.id': '1ee5bf7f-8f50-481a-a302-b12775a3e415',
  'http.request.method': 'GET',
  'http.request.uri': '/v2/team/app/manifests/1.0',
  'http.request.useragent': 'containerd/1.7.2',
  'http.response.status': 404,
  level: 'error',
  msg: 'response completed with error',
  'vars.name': 'team/app',
  'vars.reference': '1.0',
}
const NGINX = {
  id: '0f3c',
  method: 'HEAD',
  uri: '/v2/team/app/manifests/1.0?ns=docker.io',
  status: 404,
  useragent: 'skopeo/1.9',
}

const missIn = (fields: object, head = '') => missInLogLine(head + JSON.stringify(fields), 'made')

describe('a line of a log', () => {
  it('of distribution tells of a miss', () => {
    expect(missIn(DISTRIBUTION)).toEqual({
      action: 'miss',
      id: '1ee5bf7f-8f50-481a-a302-b12775a3e415',
      repository: 'team/app',
      reference: '1.0',
      userAgent: 'containerd/1.7.2',
    })
  })

  it('of nginx does, behind the head that syslog gives it', () => {
    const event = missIn(NGINX, '<190>Nov 27 17:44:54 pullmiss: ')

    expect(event).toMatchObject({ id: '0f3c', repository: 'team/app', reference: '1.0' })
  })

  it('has an id of its own where the line has none, or none that may stand in a log', () => {
    expect(missIn({ ...DISTRIBUTION, 'http.request.id': 'a b' })?.id).toBe('made')
  })

  it.each<[string, object]>([
    ['a blob', { ...DISTRIBUTION, 'err.message': 'blob unknown to registry' }],
    ['a form that the client does not take', { ...DISTRIBUTION, 'err.message': 'OCI index found' }],
    ['a name that none can have', { ...DISTRIBUTION, 'vars.name': '../etc' }],
    ['a reference that none can be', { ...DISTRIBUTION, 'vars.reference': '"' }],
    ['an access that went well', { ...NGINX, status: 200 }],
    ['a push', { ...NGINX, method: 'PUT' }],
    ['another path', { ...NGINX, uri: '/v2/team/app/tags/list' }],
    ['nothing', {}],
  ])('of %s tells of none', (_, fields) => {
    expect(missIn(fields)).toBeUndefined()
  })

  it.each(['', 'no JSON', '{', '{"a":', 'null', `{${'['.repeat(50_000)}`])(
    'that is no JSON tells of none: %.20s',
    (line) => {
      expect(missInLogLine(line, 'made')).toBeUndefined()
    },
  )
})
