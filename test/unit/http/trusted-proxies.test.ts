import { describe, expect, it } from 'vitest'
import { clientAddress, peerAddress, TrustedProxies } from '../../../src/http/trusted-proxies.ts'

const PROXIES = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8::1'])

function from(remoteAddress: string | undefined, told?: string) {
  return { socket: { remoteAddress }, headers: { 'x-forwarded-for': told } }
}

describe('the address of the client', () => {
  it.each([
    ['the peer, where nothing is said', '198.51.100.1', undefined, '198.51.100.1'],
    ['the peer, whatever a stranger says', '198.51.100.1', '203.0.113.9', '198.51.100.1'],
    ['whom a trusted proxy names', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['whom it names last, not what stood there before', '10.1.2.3', '1.1.1.1, 2.2.2.2', '2.2.2.2'],
    ['the one before two trusted proxies', '10.1.2.3', '9.9.9.9, 8.8.8.8,192.0.2.7', '8.8.8.8'],
    ['the first where all of them are trusted', '10.1.2.3', '10.0.0.4, 10.0.0.5', '10.0.0.4'],
    ['the proxy that says nothing', '10.1.2.3', undefined, '10.1.2.3'],
    ['the proxy that names no address', '10.1.2.3', '203.0.113.9, unknown', '10.1.2.3'],
    ['one written with a port', '10.1.2.3', '203.0.113.9:4711', '203.0.113.9'],
    ['IPv6', 'fd12::1', '2001:db8::2', '2001:db8::2'],
    ['IPv6 in brackets', '2001:db8::1', '[2001:db8::2]:443', '2001:db8::2'],
    ['IPv4 in the form of IPv6', '::ffff:10.1.2.3', '::ffff:203.0.113.9', '203.0.113.9'],
  ])('is %s', (_, peer, told, client) => {
    expect(clientAddress(from(peer, told), PROXIES)).toBe(client)
  })

  it('is the peer where no proxy is trusted', () => {
    expect(clientAddress(from('10.1.2.3', '203.0.113.9'), new TrustedProxies([]))).toBe('10.1.2.3')
  })

  it('is not known once the client has left', () => {
    expect(clientAddress(from(undefined, '203.0.113.9'), PROXIES)).toBeUndefined()
    expect(peerAddress(from(undefined))).toBeUndefined()
  })
})
