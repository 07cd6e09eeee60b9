import { RegistryError } from '../errors/registry-error.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { cloudFailure, credentialFailure } from './credential-failure.ts'
import type { FetchCredentials, FetchedCredentials } from '../words/credentials.ts'
import { loadSdk } from './load-sdk.ts'

const MINUTE_MS = 60_000
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
// A token is of no project. Untold, the library looks for one before it gives a token: with the gcloud
// command, and for a federated identity with an API that it need not be allowed to use.
const NO_PROJECT = 'none'

/**
 * An access token for Google Artifact Registry, with whatever identity Google's application default
 * credentials find: a key file, workload identity federation, the metadata server.
 */
export function garCredentials(registry: RegistryIdentity): FetchCredentials {
  return async () => await accessToken(registry)
}

async function accessToken(registry: RegistryIdentity): Promise<FetchedCredentials> {
  const { GoogleAuth } = await loadSdk(
    registry,
    'google-auth-library',
    () => import('google-auth-library'),
  )
  try {
    // A new one each time: it would otherwise give the token that was just refused.
    const auth = new GoogleAuth({ scopes: SCOPE, projectId: NO_PROJECT })
    const client = await auth.getClient()
    const { token } = await client.getAccessToken()
    const expiresAt = client.credentials.expiry_date
    return fetchedCredentials(registry, token ?? '', expiresAt ?? undefined)
  } catch (error) {
    throw error instanceof RegistryError ? error : cloudFailure(registry, error)
  }
}

function fetchedCredentials(
  registry: RegistryIdentity,
  password: string,
  expiresAt: number | undefined,
): FetchedCredentials {
  if (password === '') {
    throw credentialFailure(registry, 'Google answered without a token.', 'transient')
  }
  const leftMs = expiresAt === undefined ? 0 : expiresAt - Date.now()
  // The metadata server gives the same token until its last minutes.
  const freshForMs = Math.max(leftMs - MINUTE_MS, MINUTE_MS / 2)
  return { credentials: { kind: 'password', username: 'oauth2accesstoken', password }, freshForMs }
}
