import type { RegistryConfig } from '../../config/config.ts'
import { identityOf } from '../words/identity.ts'
import { networkFailure } from './failures.ts'
import { codeOf } from './network-faults.ts'

/**
 * Why a client's request did not reach the registry, in the words of all other failures. What is no fault of the
 * network is handed back as it is: there, the place where it arose counts.
 */
export function unreachable(config: RegistryConfig, method: string, cause: unknown): unknown {
  if (codeOf(cause) === 'UNKNOWN') return cause
  const registry = identityOf(config)
  const operation = {
    registry,
    kind: 'check',
    intent: `pass a request on to ${registry.name}`,
  } as const
  return networkFailure({ operation, method, url: config.url }, cause)
}
