import { type Readable, Transform } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { quoted } from '../../oci/parsed.ts'
import { discard } from '../transport/body.ts'
import { isWebPage, WEB_PAGE } from '../transport/document.ts'
import { continuedBlob } from './continued-blob.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { idempotent } from '../transport/retry.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import type { RegistryResponse } from '../transport/exchange.ts'

/** Up to that many bytes, one comes at once or not at all. */
const SMALL_BYTES = 1024 * 1024

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
    // Some caches answer with a range that is the whole.
    expect: offset > 0 ? [200, 206, RANGE_REFUSED] : [200, 206],
    repeatable: idempotent,
    large: true,
    brief: size <= SMALL_BYTES,
    signal,
  })
  if (response.status === RANGE_REFUSED) {
    discard(response.body)
    return skipping(await openBlob(session, descriptor, signal, 0), offset)
  }
  const wrong =
    response.status === 206 ? wrongRange(response, offset, size) : wrongLength(response, size)
  if (wrong !== undefined) {
    response.body.destroy()
    if (isWebPage(response)) throw wrongAnswer(operation, WEB_PAGE)
    // Of another size it cannot be what the digest says, however often it is asked for.
    const disposition = response.status === 206 ? 'transient' : 'permanent'
    throw wrongAnswer(operation, wrong, { disposition })
  }
  // A registry that does not know ranges sends everything once more.
  return response.status === 206 ? response.body : skipping(response.body, offset)
}

/** Also of registries that know no ranges. */
const RANGE_REFUSED = 416

function wrongLength(response: RegistryResponse, size: number): string | undefined {
  const length = contentLength(response)
  if (length === undefined || length === size) return undefined
  return `expected ${size} bytes, the answer says that it has ${length}.`
}

// Anything but exactly the rest would be put in the wrong place. RFC 9110, section 14.4.
function wrongRange(response: RegistryResponse, offset: number, size: number): string | undefined {
  const got = response.header('content-range')?.toLowerCase() ?? 'none'
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
    brief: true,
    signal,
  })
  discard(response.body)
  return response.status === 200
}

/** A blob of which the size may not be known. */
export type NamedBlob = Pick<Descriptor, 'digest'> & Partial<Pick<Descriptor, 'size'>>

/**
 * Whether the registry has the blob, proven by its first byte: some answer a HEAD from a cache, or
 * for a blob of another repository. A refusal is no proof.
 */
export async function givesBlob(
  session: RepositorySession,
  { digest, size }: NamedBlob,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await session.send({
    operation: operationOf(
      session,
      'blob',
      `ask for a byte of ${digest} of ${session.repository} at`,
    ),
    method: 'GET',
    url: session.links.blob(session.repository, digest),
    ...(size !== 0 && { headers: { range: 'bytes=0-0' } }),
    scopes: session.readScopes,
    expect: [200, 206, 401, 403, 404, 416],
    repeatable: idempotent,
    brief: true,
    signal,
  })
  // A registry that does not know ranges sends all of it.
  if (response.status === 200) response.body.destroy()
  else discard(response.body)
  if (size === undefined) return response.status === 200 || response.status === 206
  if (response.status === 206) return sizeInRange(response) === size
  return response.status === 200 && wrongLength(response, size) === undefined
}

function sizeInRange(response: RegistryResponse): number | undefined {
  const [, total] = /^bytes 0-0\/(\d+)$/i.exec(response.header('content-range') ?? '') ?? []
  return total === undefined ? undefined : Number(total)
}

function contentLength(response: RegistryResponse): number | undefined {
  const header = response.header('content-length')
  return header === undefined ? undefined : Number(header)
}
