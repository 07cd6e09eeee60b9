import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { discard } from './body.ts'
import { wrongAnswer } from './errors.ts'
import { idempotent } from './retry.ts'
import { operationOf, type RepositorySession } from './session.ts'
import type { RegistryResponse } from './transport.ts'

/**
 * OCI distribution-spec, "Pulling blobs", through redirects to object stores. Resolves with the
 * headers; the body is guarded against stalls and unverified. It is tried again until the headers
 * have come, not after.
 */
export async function getBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Readable> {
  const { digest, size } = descriptor
  const operation = operationOf(
    session,
    'blob',
    `pull blob ${digest} of ${session.repository} from`,
  )
  const response = await session.send({
    operation,
    method: 'GET',
    url: session.links.blob(session.repository, digest),
    scopes: session.readScopes,
    expect: [200],
    repeatable: idempotent,
    signal,
  })
  const length = contentLength(response)
  if (length === undefined || length === size) return response.body
  response.body.destroy()
  throw wrongAnswer(operation, `expected ${size} bytes, the answer says that it has ${length}.`)
}

/**
 * An existence check only saves work: what the registry does not want to tell, as JFrog's 403 to a
 * blob's HEAD, counts as absent. Failures of the registry or the network are thrown.
 */
export async function hasBlob(
  session: RepositorySession,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await session.send({
    operation: operationOf(session, 'blob', `look up blob ${digest} of ${session.repository} at`),
    method: 'HEAD',
    url: session.links.blob(session.repository, digest),
    scopes: session.readScopes,
    expect: [200, 403, 404, 405],
    repeatable: idempotent,
    signal,
  })
  discard(response.body)
  return response.status === 200
}

function contentLength(response: RegistryResponse): number | undefined {
  const header = response.header('content-length')
  return header === undefined ? undefined : Number(header)
}
