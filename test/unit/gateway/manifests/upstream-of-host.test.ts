import { describe, expect, it } from 'vitest'
import { upstreamsOfHost } from '../../../../src/gateway/manifests/upstream-of-host.ts'

const UPSTREAMS = new Map([
  ['hub', { url: new URL('https://registry-1.docker.io') }],
  ['hq', { url: new URL('https://harbor.hq.example') }],
  ['lab', { url: new URL('http://lab.example:5000') }],
])
const ALL = ['hub', 'hq', 'lab']

describe('upstreamsOfHost', () => {
  it('takes all when the client names none', () => {
    expect(upstreamsOfHost(ALL, UPSTREAMS, undefined)).toEqual(ALL)
  })

  it.each([
    ['docker.io', ['hub']],
    ['registry-1.docker.io', ['hub']],
    ['harbor.hq.example', ['hq']],
    ['HARBOR.hq.example:443', ['hq']],
    ['lab.example:5000', ['lab']],
    ['lab.example', []],
    ['elsewhere.example', []],
  ])('for %s: %j', (host, expected) => {
    expect(upstreamsOfHost(ALL, UPSTREAMS, host)).toEqual(expected)
  })
})
