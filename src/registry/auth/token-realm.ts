import type { RegistryConfig } from '../../config/config.ts'
import type { Challenge } from './challenge.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { bareHost } from '../network/guard.ts'
import { followAway } from '../words/links.ts'
import type { Operation } from '../words/operation.ts'

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
  const url = followAway(realm, config.url)
  if (url === undefined) {
    throw wrongAnswer(operation, 'the registry names a token service that is no address.', {
      disposition: 'permanent',
    })
  }
  if (withCredentials && !mayHaveCredentials(url, config)) {
    throw wrongAnswer(
      operation,
      `the registry sends us for a token to ${url.origin}, where credentials would be sent in the clear and are not. Have the registry name an https:// address for its token service${orElse(config, operation)}.`,
      { disposition: 'permanent' },
    )
  }
  return url
}

function orElse({ url }: RegistryConfig, { registry }: Operation): string {
  return url.protocol === 'http:'
    ? `, or name its host in ${registry.keys}.trustedHosts`
    : '; if that is the registry itself, have the proxy before it pass the Host header on'
}

// Plain http only where the registry itself is spoken with in plain http, at its own host and port or on
// a trusted host: another port of the same machine may be anybody's.
function mayHaveCredentials(realm: URL, config: RegistryConfig): boolean {
  if (realm.protocol === 'https:') return true
  if (config.url.protocol !== 'http:') return false
  const trusted = config.trustedHosts.map(bareHost)
  return realm.origin === config.url.origin || trusted.includes(bareHost(realm.hostname))
}
