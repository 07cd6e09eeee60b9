import { describe, expect, it } from 'vitest'
import { withClientSide } from '../../../../src/gateway/framing/forwarded-client.ts'
import { TrustedProxies } from '../../../../src/http/trusted-proxies.ts'

const TRUSTED = new TrustedProxies(['10.0.0.0/8'])

/** What the registry is told of the scheme, where a proxy says that in RFC 7239's header alone. */
function schemes(forwarded: string, peer = '10.0.0.1'): readonly string[] {
  const request = { headers: { forwarded }, socket: { remoteAddress: peer } }
  const raw = ['Forwarded', forwarded]
  const told = withClientSide(raw, request as Parameters<typeof withClientSide>[1], TRUSTED)
  return told.filter((_, at) => told[at - 1] === 'X-Forwarded-Proto')
}

describe('withClientSide', () => {
  it.each([
    ['for=192.0.2.1;proto=https', 'https'],
    ['proto=https', 'https'],
    ['For="[2001:db8::1]:4711"; Proto="HTTPS" ;by=10.0.0.1', 'https'],
    ['for=192.0.2.1;host="a;proto=https,";proto=http', 'http'],
    ['for=192.0.2.1;proto=http', 'http'],
    // The first is the one that clients spoke with; so registries read it, too.
    ['for=192.0.2.1;proto=https, for=10.0.0.2;proto=http', 'https'],
    ['for=192.0.2.1, for=10.0.0.2;proto=https', 'http'],
    // Of what is said in no way, and of no scheme, the one here is known.
    ['for=192.0.2.1', 'http'],
    ['for=192.0.2.1;proto=gopher', 'http'],
    ['for=192.0.2.1;proto=httpsx', 'http'],
    ['for=192.0.2.1;noproto=https', 'http'],
  ])('says the scheme that a trusted proxy gives as %s', (forwarded, scheme) => {
    expect(schemes(forwarded)).toEqual([scheme])
  })

  it('reads no scheme out of a text that has no end', () => {
    expect(schemes(`for="${'x;proto=https'.repeat(5_000)}`)).toEqual(['http'])
  })

  it('takes it of nobody else', () => {
    expect(schemes('for=192.0.2.1;proto=https', '192.0.2.9')).toEqual(['http'])
  })
})
