import { isBlank } from '../reading/blank.ts'
import type { ConfigPath } from '../reading/config-path.ts'
import { type Mapping, mappingOf, textAt } from './outline.ts'
import type { Finding } from './finding.ts'
import { isLoopback, parseAddress, parseFlag } from '../schema/scalars.ts'
import { parseRegistryUrl } from '../schema/urls.ts'

export const USERNAME_ALONE = 'a username needs a password or passwordFile'

/** How a registry may be reached, and with which login. */
export function registryRules(value: unknown, path: ConfigPath): readonly Finding[] {
  const registry = mappingOf(value)
  return [
    ...transportRules(registry, path),
    ...certificateRules(registry, path),
    ...loginRules(registry, path),
    ...sourceOfCredentialsRules(registry, path),
    ...pairRules(registry, path),
    ...userNameRules(registry, path),
  ]
}

/** The admin listener shows and retries jobs, so it is not left open to a network. */
export function adminRules(value: unknown): readonly Finding[] {
  const admin = mappingOf(value)
  const listen = parseAddress(textAt(admin, 'listen') ?? '')
  const open = listen.ok && !isLoopback(listen.value.host) && !hasPassword(admin)
  const message =
    'an admin listener on other than loopback needs a password: set admin.passwordFile, or listen on 127.0.0.1'
  return [
    ...loginRules(admin, ['admin']),
    ...userNameRules(admin, ['admin']),
    ...(open ? [{ path: ['admin', 'listen'], message }] : []),
  ]
}

export function loginRules(value: unknown, path: ConfigPath): readonly Finding[] {
  const { password, passwordFile } = mappingOf(value)
  if (typeof password === 'string' && isBlank(password)) {
    return [{ path: [...path, 'password'], message: 'the password is nothing but blanks' }]
  }
  if (password === undefined || passwordFile === undefined) return []
  return [{ path: [...path, 'passwordFile'], message: 'use password or passwordFile, not both' }]
}

/** RFC 7617, section 2: all behind the first colon is the password. */
function userNameRules(section: Mapping, path: ConfigPath): readonly Finding[] {
  if (textAt(section, 'username')?.includes(':') !== true) return []
  const message = 'a user name with a colon cannot log in: in HTTP the password begins behind it'
  return [{ path: [...path, 'username'], message }]
}

function transportRules(registry: Mapping, path: ConfigPath): readonly Finding[] {
  const url = parseRegistryUrl(textAt(registry, 'url') ?? '')
  const insecure = parseFlag(registry['insecure'] ?? false)
  if (!url.ok || !insecure.ok) return []
  if (url.value.protocol === 'https:' && insecure.value) {
    const message = 'insecure only allows plain http; for an own certificate authority set caFile'
    return [{ path: [...path, 'insecure'], message }]
  }
  if (url.value.protocol === 'https:' || insecure.value || isLoopback(url.value.hostname)) return []
  const message =
    'plain http over a network would send credentials and images unprotected: use https, or set insecure: true'
  return [{ path: [...path, 'url'], message }]
}

export function certificateRules(registry: Mapping, path: ConfigPath): readonly Finding[] {
  const set = ['clientCertFile', 'clientKeyFile'].filter((key) => registry[key] !== undefined)
  const [key] = set
  if (key === undefined) return []
  if (set.length === 1) {
    const message = 'clientCertFile and clientKeyFile belong together: set both'
    return [{ path: [...path, key], message }]
  }
  const plain = textAt(registry, 'url')?.startsWith('http://') === true
  const message = 'a client certificate is only shown over https'
  return plain ? [{ path: [...path, key], message }] : []
}

// The order is that in which they are listed in messages.
const SOURCES = ['dockerConfig', 'accessTokenFile', 'auth'] as const

function sourceOfCredentialsRules(registry: Mapping, path: ConfigPath): readonly Finding[] {
  const set = SOURCES.filter((key) => registry[key] !== undefined)
  const [first, second] = set
  const extra = hasPassword(registry) ? first : second
  if (extra === undefined) return []
  const message =
    'credentials come from one place only: username with passwordFile, dockerConfig, accessTokenFile or auth'
  return [{ path: [...path, extra], message }]
}

function pairRules(registry: Mapping, path: ConfigPath): readonly Finding[] {
  const named = registry['username'] !== undefined
  if (named && !hasPassword(registry)) {
    const other = SOURCES.find((key) => registry[key] !== undefined)
    // The token is then that user's password.
    if (other === 'accessTokenFile') return []
    if (other !== undefined) {
      return [{ path: [...path, 'username'], message: `${other} brings the username, too` }]
    }
  }
  if (named === hasPassword(registry)) return []
  const [key, message] = named
    ? ['username', USERNAME_ALONE]
    : [
        registry['password'] === undefined ? 'passwordFile' : 'password',
        'a password needs a username',
      ]
  return [{ path: [...path, key], message }]
}

export function hasPassword(section: Mapping): boolean {
  return section['password'] !== undefined || section['passwordFile'] !== undefined
}
