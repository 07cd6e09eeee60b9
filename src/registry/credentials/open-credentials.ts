import type { CredentialsConfig, RegistryConfig } from '../../config/config.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import type { ProxyFor } from '../network/proxy-environment.ts'
import type { AskToken } from '../transport/token-request.ts'
import { accessTokenFile } from './access-token-file.ts'
import { acrCredentials } from './acr.ts'
import {
  type CredentialStore,
  FetchedCredentialStore,
  fixedCredentials,
} from './credential-store.ts'
import { type FetchCredentials, loginOf } from '../words/credentials.ts'
import { dockerConfigCredentials } from './docker-config.ts'
import { ecrCredentials } from './ecr.ts'
import { garCredentials } from './gar.ts'

export interface CredentialParts {
  readonly config: RegistryConfig
  readonly identity: RegistryIdentity
  readonly ask: AskToken
  readonly proxyFor: ProxyFor
}

/** Asks nobody until credentials are wanted. */
export function openCredentials(parts: CredentialParts): CredentialStore {
  const { credentials, username, password = '' } = parts.config
  if (credentials !== undefined) {
    return new FetchedCredentialStore(fetcherOf(credentials, parts))
  }
  return fixedCredentials(username === undefined ? undefined : loginOf(username, password))
}

function fetcherOf(
  credentials: CredentialsConfig,
  { config: { url, username }, identity, ask, proxyFor }: CredentialParts,
): FetchCredentials {
  switch (credentials.kind) {
    case 'docker-config':
      return dockerConfigCredentials(identity, credentials.file, url)
    case 'access-token':
      return accessTokenFile(identity, credentials.file, username)
    case 'ecr':
      return ecrCredentials(identity, url, proxyFor)
    case 'gar':
      return garCredentials(identity)
    case 'acr':
      return acrCredentials(identity, url, ask)
  }
}
