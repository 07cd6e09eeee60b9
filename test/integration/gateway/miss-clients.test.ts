import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MissClients } from '../../../src/gateway/manifests/miss-clients.ts'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { clientAddress, TrustedProxies } from '../../../src/http/trusted-proxies.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'

const REPOSITORY = 'team/app' as Repository
const SIGNAL = new AbortController().signal

describe('a client whose misses are counted', () => {
  let open: TestRegistry
  let closed: TestRegistry

  beforeAll(async () => {
    const htpasswd = { username: 'reader', password: 'correct-horse' } as const
    ;[open, closed] = await Promise.all([startRegistry(), startRegistry({ htpasswd })])
  })

  afterAll(async () => {
    await Promise.all([open[Symbol.asyncDispose](), closed[Symbol.asyncDispose]()])
  })

  function clientsOf({ url }: TestRegistry) {
    const local = new LocalRegistry({ url: new URL(url) })
    const trusted = new TrustedProxies(['10.0.0.1'])
    const clients = new MissClients({
      addressOf: (request) => clientAddress(request, trusted),
      local: () => local,
    })
    return async (remoteAddress: string, headers: Record<string, string> = {}) =>
      await clients.nameOf(
        { headers, socket: { remoteAddress } },
        {
          repository: REPOSITORY,
          forwarded: {
            method: 'GET',
            path: `/v2/${REPOSITORY}/manifests/1.0`,
            headers: ['Host', 'gateway', ...Object.entries(headers).flat()],
          },
        },
        SIGNAL,
      )
  }

  it('is its address, and what a trusted proxy says is its address', async () => {
    const nameOf = clientsOf(open)

    const one = await nameOf('192.0.2.1')
    expect(await nameOf('192.0.2.1')).toBe(one)
    expect(await nameOf('::ffff:192.0.2.1')).toBe(one)
    expect(await nameOf('10.0.0.1', { 'x-forwarded-for': '198.51.100.1, 192.0.2.1' })).toBe(one)
    expect(await nameOf('192.0.2.2')).not.toBe(one)
    expect(await nameOf('192.0.2.2', { 'x-forwarded-for': '192.0.2.1' })).not.toBe(one)
    expect(one).not.toContain('192')
  })

  it('is a network of IPv6, of which it has every address', async () => {
    const nameOf = clientsOf(open)

    expect(await nameOf('2001:db8::1')).toBe(await nameOf('2001:db8:0:0:9:8:7:6'))
    expect(await nameOf('2001:db8::1')).not.toBe(await nameOf('2001:db8:0:1::1'))
  })

  it('is a user, too, where the registry has checked who that is', async () => {
    const nameOf = clientsOf(closed)
    const address = '192.0.2.1'

    const reader = await nameOf(address, { authorization: basic('reader') })

    expect(await nameOf(address, { authorization: basic('reader') })).toBe(reader)
    expect(await nameOf(address, { authorization: basic('another') })).not.toBe(reader)
    expect(await nameOf(address, { authorization: bearer('another') })).toBe(
      await nameOf(address, { authorization: basic('another') }),
    )
    expect(await nameOf(address, { authorization: bearer('') })).toBe(await nameOf(address))
  })

  it('is no user of a registry that lets in everybody: names there are made up as tags are', async () => {
    const nameOf = clientsOf(open)

    expect(await nameOf('192.0.2.1', { authorization: basic('one') })).toBe(
      await nameOf('192.0.2.1', { authorization: basic('two') }),
    )
  })
})

function basic(user: string): string {
  return `Basic ${Buffer.from(`${user}:correct-horse`).toString('base64')}`
}

function bearer(sub: string): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `Bearer ${part({ alg: 'none' })}.${part({ sub })}.signature`
}
