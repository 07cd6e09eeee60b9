import type { RegistryConfig } from '../../config/config.ts'
import type { Side } from '../../replication/errors.ts'

/** Who a registry is in the words of the configuration, which is what the operator can change. */
export interface RegistryIdentity {
  readonly id: string
  readonly side: Side
  /** As it stands in a sentence: `upstream "hq"`, `the local registry`. */
  readonly name: string
  /** Where its keys stand in the configuration: `upstreams.hq`, `local`. */
  readonly keys: string
  /** Of its address, with the port. */
  readonly host: string
  /** No credentials are configured. */
  readonly anonymous: boolean
  /** The key that says which account it is: `upstreams.hq.username`, `upstreams.hq.dockerConfig`. */
  readonly accountKey: string
  /** The keys that its credentials come from, or should: `upstreams.hq.username and upstreams.hq.passwordFile`. */
  readonly credentialKeys: string
  /** A client certificate is configured. */
  readonly showsCertificate: boolean
}

export function identityOf(config: RegistryConfig): RegistryIdentity {
  const local = config.id === 'local'
  const keys = local ? 'local' : `upstreams.${config.id}`
  return {
    id: config.id,
    side: local ? 'local' : 'upstream',
    name: local ? 'the local registry' : `upstream "${config.id}"`,
    keys,
    host: config.url.host,
    anonymous: config.username === undefined && config.credentials === undefined,
    ...credentialKeys(config, keys),
    showsCertificate: config.clientCertificate !== undefined,
  }
}

function credentialKeys({ username, credentials }: RegistryConfig, keys: string) {
  const key = KEYS[credentials?.kind ?? 'password']
  if (credentials !== undefined && username === undefined) {
    return { accountKey: `${keys}.${key}`, credentialKeys: `${keys}.${key}` }
  }
  const accountKey = `${keys}.username`
  return { accountKey, credentialKeys: `${accountKey} and ${keys}.${key}` }
}

const KEYS = {
  password: 'passwordFile',
  'docker-config': 'dockerConfig',
  'access-token': 'accessTokenFile',
  ecr: 'auth',
  gar: 'auth',
  acr: 'auth',
} as const
