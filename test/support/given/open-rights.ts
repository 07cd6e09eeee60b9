import type { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { Rights } from '../../../src/gateway/rights/rights.ts'

/** Of a registry without policies of its own. */
export function openRights(local: () => LocalRegistry): Rights {
  const policies = { seen: () => Promise.resolve(false), note: () => undefined }
  return new Rights({ local, policyOf: () => 'none', policies })
}
