import type { RegistryConfig } from '../config/config.ts'
import type { Side } from '../replication/errors.ts'

/** Who a registry is in the words of the configuration, which is what the operator can change. */
export interface RegistryIdentity {
  readonly id: string
  readonly side: Side
  /** As it stands in a sentence: `upstream "hq"`, `the local registry`. */
  readonly name: string
  /** Where its keys stand in the configuration: `upstreams.hq`, `local`. */
  readonly keys: string
  /** No credentials are configured. */
  readonly anonymous: boolean
}

export function identityOf(config: RegistryConfig): RegistryIdentity {
  const anonymous = config.username === undefined
  return config.id === 'local'
    ? { id: 'local', side: 'local', name: 'the local registry', keys: 'local', anonymous }
    : {
        id: config.id,
        side: 'upstream',
        name: `upstream "${config.id}"`,
        keys: `upstreams.${config.id}`,
        anonymous,
      }
}
