import type { Disposition } from '../../replication/errors.ts'
import { fieldsOf } from '../../oci/json.ts'
import { oneLine } from '../errors/error-body.ts'
import { type RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import type { Operation } from '../words/operation.ts'

export function credentialsOperation(registry: RegistryIdentity): Operation {
  return { registry, kind: 'token', intent: `get credentials for ${registry.name}` }
}

/** Credentials that could not be had. `what` ends with a full stop, and holds no secret. */
export function credentialFailure(
  registry: RegistryIdentity,
  what: string,
  disposition: Disposition,
): RegistryError {
  return wrongAnswer(credentialsOperation(registry), what, { disposition })
}

/**
 * What a cloud's own library threw. Only its words travel on: its errors hold requests with their
 * credentials.
 */
export function cloudFailure(registry: RegistryIdentity, error: unknown): RegistryError {
  const { name, message } = wordsOf(error)
  const disposition = dispositionOf(error, name)
  const advice =
    disposition === 'permanent'
      ? ` Check the cloud identity of this machine and its rights, which ${registry.keys}.auth relies on.`
      : ''
  return credentialFailure(registry, `${name}: ${message}.${advice}`, disposition)
}

// Nothing was found on this machine that could be tried: trying again finds the same.
const NO_IDENTITY = new Set([
  'CredentialsProviderError',
  'CredentialUnavailableError',
  'AggregateAuthenticationError',
])
// google-auth-library says this in words only.
const NO_IDENTITY_TEXT = /could not load the default credentials|could not refresh access token/i
const THROTTLED = /throttl|TooManyRequests|RequestLimitExceeded/i

function dispositionOf(error: unknown, name: string): Disposition {
  const status = statusOf(error)
  if (status === 429 || THROTTLED.test(name)) return 'transient'
  if (status !== undefined) return status >= 400 && status < 500 ? 'permanent' : 'transient'
  if (NO_IDENTITY.has(name)) return 'permanent'
  return NO_IDENTITY_TEXT.test(wordsOf(error).message) ? 'permanent' : 'transient'
}

function wordsOf(error: unknown): { readonly name: string; readonly message: string } {
  if (!(error instanceof Error)) return { name: 'Error', message: 'it failed without a reason' }
  const message = oneLine(error.message).replace(/\.$/, '')
  return { name: oneLine(error.name), message: message === '' ? 'it gave no reason' : message }
}

// AWS: $metadata.httpStatusCode; Google: status, or response.status; Azure: statusCode.
function statusOf(error: unknown): number | undefined {
  const { $metadata, response, status, statusCode } = fieldsOf(error)
  const found = [
    fieldsOf($metadata)['httpStatusCode'],
    fieldsOf(response)['status'],
    status,
    statusCode,
  ].find((value) => typeof value === 'number')
  return typeof found === 'number' ? found : undefined
}
