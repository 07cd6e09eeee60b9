import { parseJwtClaims } from './jwt.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import type { AskToken } from '../transport/token-request.ts'
import { cloudFailure, credentialFailure, credentialsOperation } from './credential-failure.ts'
import type { FetchCredentials, FetchedCredentials } from '../words/credentials.ts'
import { loadSdk } from './load-sdk.ts'

const MINUTE_MS = 60_000
// What an access token of Microsoft Entra must be for; the same in all of Azure's clouds.
const AUDIENCE = 'https://containerregistry.azure.net/.default'

/**
 * A refresh token of an Azure container registry, which it exchanges for an access token of Microsoft
 * Entra; with whatever identity the Azure SDK's default chain finds. Its token service then takes it.
 */
export function acrCredentials(
  registry: RegistryIdentity,
  url: URL,
  ask: AskToken,
): FetchCredentials {
  return async (signal) => {
    const accessToken = await entraToken(registry, signal)
    const form = { grant_type: 'access_token', service: url.host, access_token: accessToken }
    const answer = await ask({
      operation: credentialsOperation(registry),
      url: new URL('/oauth2/exchange', url),
      form: new URLSearchParams(form),
      signal,
    })
    return fetchedCredentials(registry, answer['refresh_token'])
  }
}

async function entraToken(registry: RegistryIdentity, abortSignal: AbortSignal): Promise<string> {
  const { DefaultAzureCredential } = await loadSdk(
    registry,
    '@azure/identity',
    () => import('@azure/identity'),
  )
  try {
    // A new one each time: it would otherwise give the token that was just refused.
    const { token } = await new DefaultAzureCredential().getToken(AUDIENCE, { abortSignal })
    return token
  } catch (error) {
    throw cloudFailure(registry, error)
  }
}

function fetchedCredentials(registry: RegistryIdentity, token: unknown): FetchedCredentials {
  if (typeof token !== 'string' || token === '') {
    const what = 'the registry answered 200 without a refresh token.'
    throw credentialFailure(registry, what, 'transient')
  }
  const expiresAt = parseJwtClaims(token)['exp']
  // Three hours where it does not tell.
  const leftMs = typeof expiresAt === 'number' ? expiresAt * 1000 - Date.now() : 180 * MINUTE_MS
  return {
    credentials: { kind: 'identity-token', token },
    freshForMs: Math.max(leftMs - 30 * MINUTE_MS, MINUTE_MS),
    validForMs: Math.max(leftMs - MINUTE_MS, MINUTE_MS),
  }
}
