import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest } from '../../oci/digest.ts'
import { quoted } from '../../oci/parsed.ts'
import type { Repository } from '../../oci/reference.ts'
import { discard } from '../transport/body.ts'
import { RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import { followLocation, withQuery } from '../words/links.ts'
import type { Operation, OperationKind } from '../words/operation.ts'
import { harmless, never } from '../transport/retry.ts'
import { scopeOf } from '../words/scopes.ts'
import { UNRECORDED } from '../words/upload-records.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import type { Exchange, RegistryResponse } from '../transport/exchange.ts'

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
    if (upload !== undefined) await cancelRecorded(session, digest, upload)
    return false
  } catch (error) {
    // 401 and 403 also of the token service: the account may write here without reading there.
    if (error instanceof RegistryError && UNWILLING.has(error.status ?? 0)) return false
    throw error
  }
}

async function cancelRecorded(
  session: RepositorySession,
  digest: Digest,
  upload: URL,
): Promise<void> {
  using record = session.uploads?.begin(session.repository, digest) ?? UNRECORDED
  record.at(upload)
  if (!(await cancelUpload(session, upload))) record.keep()
}

const UNWILLING = new Set([400, 401, 403, 404, 405, 415, 501])

/** What a registry answers that does not know how to mount, or not from there. */
const NO_MOUNT = new Set([400, 404, 405, 415, 501])
/** A registry can be upgraded; one refused request in an hour costs nothing. */
const MOUNT_AGAIN_MS = 3_600_000

/**
 * Asks for a mount from the very same repository: where that has the blob, it is there (201), and undefined is given
 * back; where not, an upload of it is open (202). OCI distribution-spec, "Mounting a blob from another repository".
 */
export async function openUploadUnlessThere(
  session: RepositorySession,
  digest: Digest,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const url = session.links.uploads(session.repository, { mount: digest, from: session.repository })
  try {
    return await openAt(session, { url, digest, expect: [201, 202] }, signal)
  } catch (error) {
    if (!(error instanceof RegistryError) || !NO_MOUNT.has(error.status ?? 0)) throw error
    session.learned.mountsNothingUntil = Date.now() + MOUNT_AGAIN_MS
    return await openUpload(session, digest, signal)
  }
}

export async function openUpload(
  session: RepositorySession,
  digest: Digest,
  signal: AbortSignal,
): Promise<URL> {
  const url = session.links.uploads(session.repository)
  const location = await openAt(session, { url, digest, expect: [202] }, signal)
  if (location !== undefined) return location
  throw new Error('a registry that answers 202 has opened an upload')
}

interface Opening {
  readonly url: URL
  readonly digest: Digest
  readonly expect: readonly number[]
}

async function openAt(
  session: RepositorySession,
  { url, digest, expect }: Opening,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const operation = pushOperation(session, 'upload', digest)
  const response = await session.send({
    operation,
    method: 'POST',
    url,
    scopes: session.writeScopes,
    expect,
    repeatable: harmless,
    signal,
  })
  discard(response.body)
  if (response.status === 201) return undefined
  const location = uploadLocation(response)
  if (location !== undefined) return location
  throw wrongAnswer(operation, 'the registry accepted an upload without saying where to send it.', {
    disposition: 'permanent',
  })
}

// A registry on an object store reads the whole blob again before it answers: at this speed at least.
const COMMIT_BYTES_PER_MS = 10 * 1024

/** What the registry has under that location becomes the blob, with the rest of it if there is one. */
export async function commitUpload(
  session: RepositorySession,
  { digest, size }: Descriptor,
  { location, body }: { readonly location: URL; readonly body?: Exchange['body'] },
  signal: AbortSignal,
): Promise<void> {
  const operation = pushOperation(session, 'commit', digest)
  const response = await session.send({
    operation,
    method: 'PUT',
    url: withQuery(location, { digest }),
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': `${body === undefined ? 0 : size}`,
    },
    ...(body !== undefined && { body }),
    patienceMs: size / COMMIT_BYTES_PER_MS,
    scopes: session.writeScopes,
    expect: [200, 201, 202, 204],
    repeatable: never,
    signal,
  })
  discard(response.body)
  const declared = response.header('docker-content-digest')
  if (declared === undefined || declared === digest || !declared.startsWith(algorithmOf(digest)))
    return
  throw wrongAnswer(operation, `the registry stored it as ${quoted(declared)}.`)
}

// Leftovers of uploads fill the disks of registries that do not purge them.
const CANCEL_TIMEOUT_MS = 5_000

/**
 * As far as possible: whatever comes of it, the failure that led here is what counts.
 * @returns false when it may still be there, and another try may cancel it
 */
export async function cancelUpload(session: RepositorySession, upload: URL): Promise<boolean> {
  const signal = AbortSignal.timeout(CANCEL_TIMEOUT_MS)
  try {
    if ((await askToCancel(session, upload, signal)) < 400) return true
    // distribution 3 takes nothing for an upload from whoever does not know how far it has come, and none takes its own
    // word for one after a restart, unless its `http.secret` is configured: it answers 404, and gives a new one.
    const status = await uploadStatus(session, upload, signal)
    if (status === undefined) return false
    return (await askToCancel(session, status.location, signal)) !== 416
  } catch (error) {
    // Who will never cancel it has to purge it in time.
    return (
      error instanceof RegistryError && (error.disposition === 'permanent' || error.status === 404)
    )
  }
}

async function askToCancel(
  session: RepositorySession,
  url: URL,
  signal: AbortSignal,
): Promise<number> {
  const response = await session.send({
    operation: operationOf(session, 'upload', `cancel an upload to ${session.repository} at`),
    method: 'DELETE',
    url,
    // distribution's own name for the right to cancel is that to delete.
    scopes: [scopeOf(session.repository, 'pull,push,delete')],
    expect: [200, 202, 204, 404, 416],
    repeatable: never,
    signal,
  })
  discard(response.body)
  return response.status
}

/**
 * OCI distribution-spec, "Pushing a blob in chunks": how far an upload has come, with a fresh location. Undefined
 * where the registry does not say both.
 */
export async function uploadStatus(
  session: RepositorySession,
  url: URL,
  signal: AbortSignal,
): Promise<UploadStatus | undefined> {
  const response = await session.send({
    operation: operationOf(session, 'upload', `look at an upload to ${session.repository} at`),
    method: 'GET',
    url,
    scopes: session.writeScopes,
    expect: [204],
    repeatable: never,
    signal,
  })
  discard(response.body)
  const [location, offset] = [uploadLocation(response), arrivedUntil(response)]
  return location === undefined || offset === undefined ? undefined : { location, offset }
}

export interface UploadStatus {
  readonly location: URL
  /** Bytes that the registry has. */
  readonly offset: number
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
