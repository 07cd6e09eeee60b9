import { describe, expect, it } from 'vitest'
import {
  isLoopback,
  parseAddress,
  parseDuration,
  parseHost,
  parseId,
  parseNetwork,
  parsePlatform,
  parseSize,
  parseWhole,
} from '../../../../src/config/schema/scalars.ts'

const ANY = { min: 0, max: Number.MAX_SAFE_INTEGER }

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text, ANY)).toEqual({ ok: true, value: ms })
  })

  it.each([
    '',
    '10',
    'm',
    '-1s',
    '1 s',
    '1S',
    '1w',
    '1h30m',
    '1e3s',
    '.5s',
    'Infinitys',
    '1constructor',
  ])('refuses %j', (text) => {
    expect(parseDuration(text, ANY).ok).toBe(false)
  })

  it('refuses what is out of range, and says the range', () => {
    expect(parseDuration('2d', { min: 1_000, max: 90_000 })).toEqual({
      ok: false,
      reason: 'expected a duration from 1s to 90s',
    })
  })
})

describe('parseSize', () => {
  it.each([
    ['1B', 1],
    ['512KiB', 524_288],
    ['50MiB', 52_428_800],
    ['1GB', 1_000_000_000],
    ['0.5TiB', 549_755_813_888],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes })
  })

  it.each(['', '0B', '50', '50M', '50mib', '50 MiB', '-1GB', '999999999999999TiB'])(
    'refuses %j',
    (text) => {
      expect(parseSize(text).ok).toBe(false)
    },
  )
})

describe('parseWhole', () => {
  it.each([1, 8, '8'])('reads %j', (value) => {
    expect(parseWhole(value, { min: 1, max: 8 })).toEqual({ ok: true, value: Number(value) })
  })

  it.each([0, 9, 1.5, NaN, '', ' 8', '0x8', '8.0', true, null, [8], {}])('refuses %j', (value) => {
    expect(parseWhole(value, { min: 1, max: 8 }).ok).toBe(false)
  })
})

describe('parseNetwork', () => {
  it.each(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1', '0.0.0.0/0'])('reads %s', (text) => {
    expect(parseNetwork(text)).toEqual({ ok: true, value: text })
  })

  it.each([
    '',
    'proxy.example',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    'fe80::1%lo',
  ])('refuses "%s"', (text) => {
    expect(parseNetwork(text).ok).toBe(false)
  })
})

describe('parseAddress', () => {
  it.each([
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['[::1]:9090', '::1', 9090],
    [':8080', '0.0.0.0', 8080],
    ['localhost:0', 'localhost', 0],
    ['pullsync.svc.example:65535', 'pullsync.svc.example', 65535],
  ])('reads %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ ok: true, value: { host, port } })
  })

  it.each([
    '',
    '8080',
    'host',
    'host:',
    '::1:80',
    '[::1]',
    '[1.2.3.4]:80',
    '1.2.3:80',
    '1.2.3.256:80',
    'a:65536',
    'a b:1',
    'http://a:1',
    'a:-1',
    '-a:1',
  ])('refuses %j', (text) => {
    expect(parseAddress(text).ok).toBe(false)
  })
})

describe('parseHost', () => {
  it.each(['auth.example', '10.0.0.7', 'fd00::7', '[fd00::7]'])('reads %s', (text) => {
    expect(parseHost(text)).toEqual({ ok: true, value: text })
  })

  it.each(['', 'https://a.example', 'a.example/', '*.example', 'a.example:443', '[a.example]'])(
    'refuses %j',
    (text) => {
      expect(parseHost(text).ok).toBe(false)
    },
  )
})

describe('isLoopback', () => {
  it.each(['localhost', 'a.localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])(
    'holds for %s',
    (host) => {
      expect(isLoopback(host)).toBe(true)
    },
  )

  it.each(['0.0.0.0', '127.example', '::', '10.0.0.1', 'localhost.example'])(
    'does not hold for %s',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})

describe('parseId', () => {
  it.each(['hq', 'hq-push', '0_a', 'a'.repeat(63)])('takes %s', (id) => {
    expect(parseId(id).ok).toBe(true)
  })

  it.each(['', 'HQ', '-a', 'a.b', 'a/b', 'a:b', 'a'.repeat(64), 'é'])('refuses %j', (id) => {
    expect(parseId(id).ok).toBe(false)
  })
})

describe('parsePlatform', () => {
  it.each(['linux', 'linux/', 'linux/amd64/v8/x', 'Linux/amd64', 'linux amd64'])(
    'refuses %j',
    (text) => {
      expect(parsePlatform(text).ok).toBe(false)
    },
  )
})
