import { describe, expect, it } from 'vitest'
import { hostGuard } from '../../../src/registry/guard.ts'

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
