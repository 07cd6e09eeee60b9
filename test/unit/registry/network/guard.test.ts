import type { lookup } from 'node:dns'
import { describe, expect, it } from 'vitest'
import { checkName, hostGuard } from '../../../../src/registry/network/guard.ts'

describe('hostGuard', () => {
  const zoneOf = hostGuard({
    url: new URL('http://Registry.internal:5000'),
    trustedHosts: ['minio.internal', '10.0.0.7', 'fd00::7'],
  })

  it.each([
    ['the registry itself', 'http://registry.internal:5000/v2/'],
    ['another port of it', 'https://registry.internal/token'],
    ['its full name, with a dot at the end', 'http://registry.internal.:5000/'],
    ['a trusted name', 'http://minio.internal:9000/x'],
    ['a trusted address', 'http://10.0.0.7:9000/x'],
    ['a trusted address of IPv6', 'http://[fd00::7]:9000/x'],
  ])('lets through %s', (_, url) => {
    expect(zoneOf(new URL(url))).toBe('home')
  })

  it.each([
    ['a public name, whose addresses are looked at when connecting', 'https://s3.example/x'],
    ['a public address', 'https://8.8.8.8/x'],
  ])('keeps an eye on %s', (_, url) => {
    expect(zoneOf(new URL(url))).toBe('abroad')
  })

  it.each([
    ['another private address', 'http://10.0.0.8/'],
    ['a private address as one number', 'http://167772168/'],
    ['a private address in octal', 'http://012.0.0.010/'],
    ['a private address of IPv6', 'http://[fd00::8]/'],
    ['another protocol', 'ftp://s3.example/x'],
  ])('refuses %s', (_, url) => {
    expect(() => zoneOf(new URL(url))).toThrow(expect.objectContaining({ code: 'FORBIDDEN_HOST' }))
  })
})

describe('a name that a proxy will resolve', () => {
  function resolvingTo(...addresses: string[]): typeof lookup {
    const answer = addresses.map((address) => ({ address, family: 4 }))
    const fake = (_: string, __: object, done: (error: Error | null, all: unknown) => void) => {
      done(addresses.length === 0 ? new Error('ENOTFOUND') : null, answer)
    }
    // Only the form that asks for all addresses is used.
    return fake as unknown as typeof lookup
  }

  it('passes when all of its addresses are public', async () => {
    await expect(checkName('s3.example', resolvingTo('8.8.8.8'))).resolves.toBeUndefined()
  })

  it.each([
    ['any of them is private', ['8.8.8.8', '10.0.0.1'], /leads to 10\.0\.0\.1, a private address/],
    ['it has none here', [], /cannot be looked up here/],
  ])('does not when %s', async (_, addresses, why) => {
    const checked = checkName('s3.example', resolvingTo(...addresses))

    await expect(checked).rejects.toMatchObject({
      code: 'FORBIDDEN_HOST',
      message: expect.stringMatching(why) as string,
    })
  })

  it('is no forbidden one while nobody answers who knows the names', async () => {
    const again = Object.assign(new Error('EAI_AGAIN'), { code: 'EAI_AGAIN' })
    const busy = (_: string, __: object, done: (error: Error) => void) => {
      done(again)
    }
    const checked = checkName('s3.example', busy as unknown as typeof lookup)

    await expect(checked).rejects.toMatchObject({ code: 'EAI_AGAIN' })
  })
})
