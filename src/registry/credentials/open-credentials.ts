import type { CredentialsConfig, RegistryConfig } from '../../config/config.ts'
import type { RegistryIdentity } from '../identity.ts'
import type { AskToken } from '../token-request.ts'
import { accessTokenFile } from './access-token-file.ts'
import { acrCredentials } from './acr.ts'
import {
  type CredentialStore,
  FetchedCredentialStore,
  fixedCredentials,
} from './credential-store.ts'
import { type FetchCredentials, loginOf } from './credentials.ts'
import { dockerConfigCredentials } from './docker-config.ts'
import { ecrCredentials } from './ecr.ts'
import { garCredentials } from './gar.ts'

/** Asks nobody until credentials are wanted. */
export function openCredentials(
  config: RegistryConfig,
  identity: RegistryIdentity,
  ask: AskToken,
): CredentialStore {
  const { credentials, username, password = '' } = config
  if (credentials !== undefined) {
    return new FetchedCredentialStore(fetcherOf(credentials, config, identity, ask))
  }
  return fixedCredentials(username === undefined ? undefined : loginOf(username, password))
}

function fetcherOf(
  credentials: CredentialsConfig,
  { url, username }: RegistryConfig,
  identity: RegistryIdentity,
  ask: AskToken,
): FetchCredentials {
  switch (credentials.kind) {
    case 'docker-config':
      return dockerConfigCredentials(identity, credentials.file, url)
    case 'access-token':
      return accessTokenFile(identity, credentials.file, username)
    case 'ecr':
      return ecrCredentials(identity, url)
    case 'gar':
      return garCredentials(identity)
    case 'acr':
      return acrCredentials(identity, url, ask)
  }
}
