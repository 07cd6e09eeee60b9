import { isIP } from 'node:net'
import type { Address } from '../config.ts'
import { ADMIN_LISTEN, LISTEN } from '../schema/defaults.ts'
import { isLoopback, parseAddress } from '../schema/scalars.ts'
import { parseRegistryUrl } from '../schema/urls.ts'
import type { Finding } from './finding.ts'
import { type Mapping, mappingAt, textAt } from './outline.ts'

/** Addresses that cannot be listened on together, and a local registry that is pullsync itself. */
export function listenRules(root: Mapping): readonly Finding[] {
  const admin = mappingAt(root, 'admin')
  const listen = addressAt(root, LISTEN)
  const adminListen = addressAt(admin, ADMIN_LISTEN)
  if (listen === undefined) return []
  const clash = adminListen !== undefined && overlap(listen, adminListen)
  const path = admin['listen'] === undefined ? ['listen'] : ['admin', 'listen']
  return [
    ...(clash ? [{ path, message: CLASH }] : []),
    ...(root['listen'] === undefined ? [] : ownAddress(mappingAt(root, 'local'), listen)),
  ]
}

/** Undefined where it is none, of which others tell. */
function addressAt(from: Mapping, unless: Address): Address | undefined {
  const text = textAt(from, 'listen')
  if (text === undefined) return unless
  const address = parseAddress(text)
  return address.ok ? address.value : undefined
}

const CLASH = `listen and admin.listen (${ADMIN_LISTEN.host}:${ADMIN_LISTEN.port} unless told) cannot be the same address: give them different ports`

function overlap(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0) return false
  const [a, b] = [one.host.toLowerCase(), other.host.toLowerCase()]
  return a === b || takesAll(a, b) || takesAll(b, a)
}

/** `::` is every IPv4 address, too. */
function takesAll(wildcard: string, host: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIP(host) === 4)
}

// Without `listen` the file may be one for workers alone, beside a registry that has that port.
function ownAddress(local: Mapping, listen: Address): readonly Finding[] {
  const url = parseRegistryUrl(textAt(local, 'url') ?? '')
  if (!url.ok || portOf(url.value) !== listen.port) return []
  const host = url.value.hostname.replace(/^\[|\]$/g, '')
  const isAll = listen.host === '0.0.0.0' || listen.host === '::'
  const isOwn = host === listen.host.toLowerCase() || (isLoopback(host) && isAll)
  const message =
    'this is where pullsync itself listens: name the registry, which needs an address of its own'
  return isOwn ? [{ path: ['local', 'url'], message }] : []
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port)
  return protocol === 'https:' ? 443 : 80
}
