import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest } from '../oci/digest.ts'
import { quoted } from '../oci/parsed.ts'
import type { Repository } from '../oci/reference.ts'
import { abortReason } from './aborting.ts'
import { discard } from './body.ts'
import { RegistryError, wrongAnswer } from './errors.ts'
import { followLocation, withQuery } from './links.ts'
import type { Operation, OperationKind } from './operation.ts'
import { harmless, never } from './retry.ts'
import { scopeOf } from './scopes.ts'
import { operationOf, type RepositorySession } from './session.ts'
import type { RegistryResponse } from './transport.ts'
import { VerifiedBody } from './verified-body.ts'

/**
 * OCI distribution-spec, "POST then PUT": the blob in one request, verified before its last bytes are
 * sent. The error is that of the side that failed: the body's own when the body broke. The upload is
 * cancelled then, and the body destroyed.
 */
export async function putBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  body: Readable,
  signal: AbortSignal,
): Promise<void> {
  const verified = new VerifiedBody(descriptor)
  // From now on, so that a body that breaks while the upload is being opened has somebody to tell.
  const feeding = pipeline(body, verified).catch(() => undefined)
  try {
    const { location: upload } = await openUpload(session, descriptor.digest, signal)
    try {
      await commit(session, { descriptor, verified, upload }, signal)
    } catch (error) {
      // Asked before the upload is cancelled: the body may break by itself while nobody reads it.
      const culprit = verified.errored ?? error
      await cancelUpload(session, upload)
      throw culprit
    }
  } catch (error) {
    throw signal.aborted ? abortReason(signal) : error
  } finally {
    verified.destroy()
    body.destroy()
    await feeding
  }
}

/**
 * OCI distribution-spec, "Mounting a blob from another repository". False when the registry would not,
 * for whatever reason that is not a failure of its own: the blob is then sent instead.
 */
export async function mountBlob(
  session: RepositorySession,
  digest: Digest,
  from: Repository,
  signal: AbortSignal,
): Promise<boolean> {
  const { repository } = session
  try {
    const response = await session.send({
      operation: operationOf(
        session,
        'mount',
        `mount blob ${digest} of ${from} into ${repository} at`,
      ),
      method: 'POST',
      url: session.links.uploads(repository, { mount: digest, from }),
      scopes: [...session.writeScopes, scopeOf(from, 'pull')],
      expect: [201, 202],
      repeatable: harmless,
      signal,
    })
    discard(response.body)
    if (response.status === 201) return true
    const upload = uploadLocation(response)
    if (upload !== undefined) await cancelUpload(session, upload)
    return false
  } catch (error) {
    // 401 and 403 also of the token service: the account may write here without reading there.
    if (error instanceof RegistryError && UNWILLING.has(error.status ?? 0)) return false
    throw error
  }
}

const UNWILLING = new Set([400, 401, 403, 404, 405, 415, 501])

export interface OpenedUpload {
  readonly location: URL
  /** The smallest chunk that the registry takes, in bytes, where it says so. */
  readonly minimumChunk: number
}

export async function openUpload(
  session: RepositorySession,
  digest: Digest,
  signal: AbortSignal,
): Promise<OpenedUpload> {
  const operation = pushOperation(session, 'upload', digest)
  const response = await session.send({
    operation,
    method: 'POST',
    url: session.links.uploads(session.repository),
    scopes: session.writeScopes,
    expect: [202],
    repeatable: harmless,
    signal,
  })
  discard(response.body)
  const location = uploadLocation(response)
  const minimumChunk = Number(response.header('oci-chunk-min-length') ?? 0) || 0
  if (location !== undefined) return { location, minimumChunk }
  throw wrongAnswer(operation, 'the registry accepted an upload without saying where to send it.', {
    disposition: 'permanent',
  })
}

interface Upload {
  readonly descriptor: Descriptor
  readonly verified: VerifiedBody
  readonly upload: URL
}

// A registry on an object store reads the whole blob again before it answers: at this speed at least.
const COMMIT_BYTES_PER_MS = 10 * 1024

async function commit(
  session: RepositorySession,
  { descriptor, verified, upload }: Upload,
  signal: AbortSignal,
): Promise<void> {
  if (verified.errored !== null) throw verified.errored
  const { digest, size } = descriptor
  const operation = pushOperation(session, 'commit', digest)
  const response = await session.send({
    operation,
    method: 'PUT',
    url: withQuery(upload, { digest }),
    headers: { 'content-type': 'application/octet-stream', 'content-length': `${size}` },
    body: verified,
    patienceMs: size / COMMIT_BYTES_PER_MS,
    scopes: session.writeScopes,
    expect: [200, 201, 204],
    repeatable: never,
    signal,
  })
  discard(response.body)
  if (!verified.proven) {
    throw wrongAnswer(operation, 'the registry said that it has the blob before it was sent.')
  }
  const told = response.header('docker-content-digest')
  if (told === undefined || told === digest || !told.startsWith(algorithmOf(digest))) return
  throw wrongAnswer(operation, `the registry stored it as ${quoted(told)}.`)
}

// Leftovers of uploads fill the disks of registries that do not purge them.
const CANCEL_TIMEOUT_MS = 5_000

/** As far as possible: whatever comes of it, the failure that led here is what counts. */
export async function cancelUpload(session: RepositorySession, upload: URL): Promise<void> {
  try {
    const response = await session.send({
      operation: operationOf(session, 'upload', `cancel an upload to ${session.repository} at`),
      method: 'DELETE',
      url: upload,
      // distribution's own name for the right to cancel is that to delete.
      scopes: [scopeOf(session.repository, 'pull,push,delete')],
      expect: [200, 202, 204, 404],
      repeatable: never,
      signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS),
    })
    discard(response.body)
  } catch {
    // The registry purges it in time, or it did not know it any more.
  }
}

export function uploadLocation(response: RegistryResponse): URL | undefined {
  const location = response.header('location')
  return location === undefined ? undefined : followLocation(location, response.url)
}

/** The first byte that the registry does not have, from its `Range: 0-<last>`. */
export function arrivedUntil(response: RegistryResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.header('range') ?? '')?.[1]
  return last === undefined ? undefined : Number(last) + 1
}

export function pushOperation(
  session: RepositorySession,
  kind: OperationKind,
  digest: Digest,
): Operation {
  return operationOf(session, kind, `push blob ${digest} of ${session.repository} to`)
}
