import type { RegistryConfig } from '../config/config.ts'
import type { Challenge } from './challenge.ts'
import { wrongAnswer } from './errors.ts'
import { bareHost } from './guard.ts'
import type { Operation } from './operation.ts'

/**
 * Where a registry sends us for tokens. Throws a RegistryError when that is no address, or one where
 * credentials would be sent in the clear.
 */
export function realmOf(
  { realm }: Extract<Challenge, { kind: 'bearer' }>,
  config: RegistryConfig,
  operation: Operation,
  withCredentials: boolean,
): URL {
  const base = config.url.href
  if (!URL.canParse(realm, base)) {
    throw wrongAnswer(operation, 'the registry names a token service that is no address.', {
      disposition: 'permanent',
    })
  }
  const url = new URL(realm, base)
  url.username = ''
  url.password = ''
  url.hash = ''
  if (withCredentials && !mayHaveCredentials(url, config)) {
    throw wrongAnswer(
      operation,
      `the registry sends us for a token to ${url.origin}, where credentials would be sent in the clear and are not. Have the registry name an https:// address for its token service.`,
      { disposition: 'permanent' },
    )
  }
  return url
}

// Plain http only where the registry itself is spoken with in plain http, on its own host or a trusted one.
function mayHaveCredentials(realm: URL, config: RegistryConfig): boolean {
  if (realm.protocol === 'https:') return true
  const homes = [config.url.hostname, ...config.trustedHosts].map(bareHost)
  return config.url.protocol === 'http:' && homes.includes(bareHost(realm.hostname))
}
