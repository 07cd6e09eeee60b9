import type { RegistryIdentity } from '../words/identity.ts'
import { ProxiedHttpsAgent } from '../network/proxied-agents.ts'
import type { ProxyFor } from '../network/proxy-environment.ts'
import { cloudFailure, credentialFailure } from './credential-failure.ts'
import type { FetchCredentials, FetchedCredentials } from '../words/credentials.ts'
import { loadSdk } from './load-sdk.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/**
 * Amazon ECR's password of twelve hours, from GetAuthorizationToken, with whatever identity the AWS
 * SDK's default chain finds; fetched again in its last hour. Also for `public.ecr.aws`.
 */
export function ecrCredentials(
  registry: RegistryIdentity,
  url: URL,
  proxyFor: ProxyFor,
): FetchCredentials {
  const ask = url.hostname === 'public.ecr.aws' ? publicAuthorization : privateAuthorization
  return async (signal) => {
    // The one of the clouds' libraries that looks for no proxy itself.
    const httpsAgent = new ProxiedHttpsAgent({ proxyFor, guarded: false }, {})
    const options = { requestHandler: { httpsAgent } }
    return fetchedCredentials(registry, await ask({ registry, url, options, signal }))
  }
}

/** `123456789012.dkr.ecr.eu-west-1.amazonaws.com`: eu-west-1. Elsewhere the SDK's own settings tell. */
export function ecrRegion(hostname: string): string | undefined {
  return /^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\./.exec(hostname)?.[1]
}

interface Question {
  readonly registry: RegistryIdentity
  readonly url: URL
  readonly options: { readonly requestHandler: { readonly httpsAgent: ProxiedHttpsAgent } }
  readonly signal: AbortSignal
}

interface Authorization {
  readonly token: string | undefined
  readonly expiresAt: Date | undefined
}

async function privateAuthorization({
  registry,
  url,
  options,
  signal: abortSignal,
}: Question): Promise<Authorization> {
  const { ECRClient, GetAuthorizationTokenCommand } = await loadSdk(
    registry,
    '@aws-sdk/client-ecr',
    () => import('@aws-sdk/client-ecr'),
  )
  const region = ecrRegion(url.hostname)
  const client = new ECRClient({ ...options, ...(region !== undefined && { region }) })
  try {
    const answer = await client.send(new GetAuthorizationTokenCommand({}), { abortSignal })
    const [given] = answer.authorizationData ?? []
    return { token: given?.authorizationToken, expiresAt: given?.expiresAt }
  } catch (error) {
    throw cloudFailure(registry, error)
  } finally {
    client.destroy()
  }
}

async function publicAuthorization({
  registry,
  options,
  signal: abortSignal,
}: Question): Promise<Authorization> {
  const { ECRPUBLICClient, GetAuthorizationTokenCommand } = await loadSdk(
    registry,
    '@aws-sdk/client-ecr-public',
    () => import('@aws-sdk/client-ecr-public'),
  )
  // The only region that gives them out.
  const client = new ECRPUBLICClient({ ...options, region: 'us-east-1' })
  try {
    const answer = await client.send(new GetAuthorizationTokenCommand({}), { abortSignal })
    const given = answer.authorizationData
    return { token: given?.authorizationToken, expiresAt: given?.expiresAt }
  } catch (error) {
    throw cloudFailure(registry, error)
  } finally {
    client.destroy()
  }
}

function fetchedCredentials(
  registry: RegistryIdentity,
  { token = '', expiresAt }: Authorization,
): FetchedCredentials {
  const [, username, password] =
    /^([^:]+):(.+)$/s.exec(Buffer.from(token, 'base64').toString('utf8')) ?? []
  if (username === undefined || password === undefined) {
    throw credentialFailure(registry, 'AWS answered without a usable token.', 'transient')
  }
  const leftMs = expiresAt === undefined ? 0 : expiresAt.getTime() - Date.now()
  return {
    credentials: { kind: 'password', username, password },
    freshForMs: Math.max(leftMs - HOUR_MS, MINUTE_MS),
    validForMs: Math.max(leftMs - MINUTE_MS, MINUTE_MS),
  }
}
