import { isIP } from 'node:net'
import { parsed, type Parsed, quoted, unparsable } from '../../oci/parsed.ts'
import type { Address } from '../config.ts'

/** What a value may be at least and at most, both included. */
export interface Range {
  readonly min: number
  readonly max: number
}

const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** `500ms`, `20s`, `10m`, `1h`, `7d` as milliseconds. */
export function parseDuration(text: string, range: Range): Parsed<number> {
  const ms = withUnit(text, MS)
  if (ms === undefined) {
    return unparsable('expected a duration such as 500ms, 20s, 10m, 1h or 7d')
  }
  if (ms >= range.min && ms <= range.max) return parsed(ms)
  return unparsable(
    `expected a duration from ${formatDuration(range.min)} to ${formatDuration(range.max)}`,
  )
}

/** `50MiB` or `1GB` as bytes; at least one byte. */
export function parseSize(text: string): Parsed<number> {
  const bytes = withUnit(text, BYTES)
  if (bytes !== undefined && bytes >= 1 && Number.isSafeInteger(bytes)) return parsed(bytes)
  return unparsable('expected a size such as 512KiB, 50MiB or 1GB')
}

/** In less than that hardly a layer can be followed. */
const LEAST_SPOOL_BYTES = 64 * 2 ** 20

/** As `parseSize`, of a place for layers. */
export function parseSpoolSize(text: string): Parsed<number> {
  const size = parseSize(text)
  if (!size.ok || size.value >= LEAST_SPOOL_BYTES) return size
  return unparsable('expected a size of at least 64MiB')
}

/** A whole number, also as the text that an environment variable gives. */
export function parseWhole(value: unknown, { min, max }: Range): Parsed<number> {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) {
    return parsed(number)
  }
  return unparsable(`expected a whole number from ${min} to ${max}`)
}

/** `true` or `false`, also as the text that an environment variable gives. */
export function parseFlag(value: unknown): Parsed<boolean> {
  if (value === true || value === 'true') return parsed(true)
  if (value === false || value === 'false') return parsed(false)
  return unparsable('expected true or false')
}

/** `10.0.0.0/8`, `fd00::/8`, or a single address. */
export function parseNetwork(text: string): Parsed<string> {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  const fits = bits === undefined || Number(bits) <= (version === 4 ? 32 : 128)
  if (version !== 0 && !address.includes('%') && fits) return parsed(text)
  return unparsable('expected an address or a CIDR block such as 10.0.0.0/8 or fd00::/8')
}

/** `0.0.0.0:8080`, `[::1]:9090`, or `:8080` for every IPv4 address; port 0 takes a free one. */
export function parseAddress(text: string): Parsed<Address> {
  const [, v6, name, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? (name === '' ? '0.0.0.0' : name)
  const port = Number(digits)
  const good = v6 === undefined ? isHostName(host ?? '') : isIP(v6) === 6
  if (host !== undefined && good && port <= 65_535) return parsed({ host, port })
  return unparsable('expected an address such as 0.0.0.0:8080, [::1]:9090 or :8080')
}

/** A host without port: `auth.example`, `10.0.0.7`, `fd00::7` (in brackets or not). */
export function parseHost(text: string): Parsed<string> {
  const v6 = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (isHostName(text) || isIP(v6) === 6) return parsed(text.toLowerCase())
  return unparsable(
    'expected a host such as auth.example or 10.0.0.7, without scheme, port or path',
  )
}

/** Names that never leave this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    (isIP(name) === 4 && name.startsWith('127.'))
  )
}

const ID = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** The id of an upstream or a source: it becomes part of queue names, URLs and metrics. */
export function parseId(text: string): Parsed<string> {
  if (ID.test(text)) return parsed(text)
  return unparsable(
    `${quoted(text)} is not an id: expected 1 to 63 lower-case letters, digits, "-" or "_", starting with a letter or digit`,
  )
}

/** `linux/amd64` or `linux/arm/v7`. */
export function parsePlatform(text: string): Parsed<string> {
  if (/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/.test(text)) return parsed(text)
  return unparsable('expected a platform such as linux/amd64 or linux/arm/v7')
}

function isHostName(text: string): boolean {
  const labels = text.split('.')
  if (labels.every((label) => /^\d+$/.test(label))) return isIP(text) === 4
  return (
    text.length <= 253 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i.test(label))
  )
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)([A-Za-z]+)$/.exec(text) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (number === undefined || factor === undefined) return undefined
  return Math.round(Number(number) * factor)
}

export function formatDuration(ms: number): string {
  const units = Object.entries(MS).reverse()
  const [unit, factor] = units.find(([, each]) => ms >= each && ms % each === 0) ?? ['s', 1_000]
  return `${ms / factor}${unit}`
}
