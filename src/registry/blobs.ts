import { type Readable, Transform } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { quoted } from '../oci/parsed.ts'
import { discard } from './body.ts'
import { continuedBlob } from './continued-blob.ts'
import { wrongAnswer } from './errors.ts'
import { idempotent } from './retry.ts'
import { operationOf, type RepositorySession } from './session.ts'
import type { RegistryResponse } from './transport.ts'

/**
 * OCI distribution-spec, "Pulling blobs", through redirects to object stores. Resolves with the
 * headers; the body is guarded against stalls and unverified. One that breaks is continued from
 * where it broke.
 *
 * @param offset where to begin, in bytes
 */
export async function getBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
  offset = 0,
): Promise<Readable> {
  const openAt = (from: number) => openBlob(session, descriptor, signal, from)
  const first = await openAt(offset)
  return continuedBlob(first, { offset, size: descriptor.size }, openAt)
}

async function openBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
  offset: number,
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
    ...(offset > 0 && { headers: { range: `bytes=${offset}-` } }),
    scopes: session.readScopes,
    expect: offset > 0 ? [200, 206] : [200],
    repeatable: idempotent,
    signal,
  })
  const wrong =
    response.status === 206 ? wrongRange(response, offset, size) : wrongLength(response, size)
  if (wrong !== undefined) {
    response.body.destroy()
    throw wrongAnswer(operation, wrong)
  }
  // A registry that does not know ranges sends everything once more.
  return response.status === 206 ? response.body : skipping(response.body, offset)
}

function wrongLength(response: RegistryResponse, size: number): string | undefined {
  const length = contentLength(response)
  if (length === undefined || length === size) return undefined
  return `expected ${size} bytes, the answer says that it has ${length}.`
}

// Anything but exactly the rest would be put in the wrong place. RFC 9110, section 14.4.
function wrongRange(response: RegistryResponse, offset: number, size: number): string | undefined {
  const got = response.header('content-range') ?? 'none'
  const wanted = `bytes ${offset}-${size - 1}/${size}`
  if (got === wanted || got === `bytes ${offset}-${size - 1}/*`) return undefined
  return `expected the range ${quoted(wanted)}, got ${quoted(got)}.`
}

function skipping(body: Readable, count: number): Readable {
  if (count === 0) return body
  let left = count
  const rest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const skipped = Math.min(left, chunk.length)
      left -= skipped
      done(null, chunk.subarray(skipped))
    },
    destroy(error, done) {
      body.destroy()
      done(error)
    },
  })
  body.once('error', (error) => rest.destroy(error))
  return body.pipe(rest)
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
