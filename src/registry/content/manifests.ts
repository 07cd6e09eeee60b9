import { setImmediate as turnOfEvents } from 'node:timers/promises'
import { algorithmOf, type Digest, digestOf, parseDigest } from '../../oci/digest.ts'
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts'
import { isSchema1Type, MANIFEST_ACCEPT } from '../../oci/media-types.ts'
import { formatImageName, isTag, type Reference } from '../../oci/reference.ts'
import type { Certainty, ManifestHead } from '../../replication/ports.ts'
import { discard } from '../transport/body.ts'
import { isWebPage, readDocument, WEB_PAGE } from '../transport/document.ts'
import { RegistryError, UnsupportedManifestError, wrongAnswer } from '../errors/registry-error.ts'
import { isAbsence } from '../errors/absence.ts'
import { readTwice, WrongDigestError } from '../errors/wrong-digest.ts'
import type { Operation } from '../words/operation.ts'
import { idempotent } from '../transport/retry.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import { isRefusal, meaningOf, noteReadable } from './refused-manifest.ts'
import type { RegistryResponse } from '../transport/exchange.ts'

/** Answers that say nothing of the manifest, but that the registry wants no HEAD, or not now. */
const REFUSALS = [400, 403, 405, 406, 409, 411, 412, 415, 422, 500, 501]
/** Those of them, and a 200 that does not tell the digest, that it answers to the next one as well. */
const TAKES_NO_HEAD = [200, 400, 405, 406, 411, 415, 422, 501]
// A registry can be upgraded; one HEAD in an hour costs nothing.
const HEAD_AGAIN_MS = 3_600_000

/**
 * OCI distribution-spec, "Checking if content exists in the registry": any 404 is "not there". A
 * registry that refuses a HEAD, or does not tell the digest, is asked for the manifest itself: that
 * decides, also because only the body of its answer to GET says what a refusal means. If it gives the
 * manifest, and has not merely failed at the HEAD, it counts as one that takes none.
 */
export async function headManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
  how?: Certainty,
): Promise<ManifestHead | undefined> {
  const { learned } = session
  if (Date.now() < learned.takesNoHeadUntil) return await headByGet(session, reference, signal, how)
  const operation = manifestOperation(session, 'look up manifest', reference, 'at')
  const response = await session.send({
    operation,
    method: 'HEAD',
    url: session.links.manifest(session.repository, reference),
    headers: { accept: MANIFEST_ACCEPT },
    scopes: session.readScopes,
    expect: [200, 401, 404, ...REFUSALS],
    repeatable: idempotent,
    brief: true,
    signal,
  })
  discard(response.body)
  // Some caches answer 404 to HEAD alone.
  if (response.status === 404 && how?.certain !== true) return undefined
  const told = headIn(response, reference)
  if (told !== undefined) {
    noteReadable(session)
    return told
  }
  const head = await headByGet(session, reference, signal, how)
  if (head !== undefined && TAKES_NO_HEAD.includes(response.status))
    learned.takesNoHeadUntil = Date.now() + HEAD_AGAIN_MS
  return head
}

/** Undefined where it does not tell all, or is said to be of something else. */
function headIn(response: RegistryResponse, reference: Reference): ManifestHead | undefined {
  const declared = response.status === 200 ? declaredDigest(response) : undefined
  const mediaType = mediaTypeOf(response)
  if (declared === undefined || mediaType === '' || isOther(declared, reference)) return undefined
  const digest = isTag(reference) ? declared : reference
  const size = contentLength(response)
  return { digest, mediaType, ...(size !== undefined && { size }) }
}

async function headByGet(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
  how?: Certainty,
): Promise<ManifestHead | undefined> {
  const manifest = await getManifest(session, reference, signal, how)
  if (manifest === undefined) return undefined
  const { digest, mediaType, bytes } = manifest
  return { digest, mediaType, size: bytes.length, manifest }
}

/**
 * OCI distribution-spec, "Pulling manifests", with every byte verified; any 404 is "not there", and so is
 * a refusal where the right to read is shown.
 * Throws an UnsupportedManifestError for what cannot be copied byte-exact.
 */
export function getManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
  how?: Certainty,
): Promise<Manifest | undefined> {
  return readTwice(() => readManifest(session, reference, signal, how), signal)
}

async function readManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
  how?: Certainty,
): Promise<Manifest | undefined> {
  const operation = manifestOperation(session, 'pull manifest', reference, 'from')
  const response = await sendForManifest(session, reference, operation, signal).catch(
    async (error: unknown) => {
      if (isAbsence(error, how)) return undefined
      const meaning = isRefusal(error) ? await meaningOf(session, error, signal, how) : error
      if (meaning === 'absent') return undefined
      throw meaning
    },
  )
  if (response === undefined) return undefined
  if (response.status === 404) {
    discard(response.body)
    return undefined
  }
  noteReadable(session)
  const bytes = await manifestBytes(response, operation)
  const asked = isTag(reference) ? undefined : reference
  verify(bytes, response, asked, operation)
  await inTurn(bytes)
  const manifest = parse(bytes, response, asked, operation)
  await inTurn(bytes)
  return manifest
}

function sendForManifest(
  session: RepositorySession,
  reference: Reference,
  operation: Operation,
  signal: AbortSignal,
): Promise<RegistryResponse> {
  return session.send({
    operation,
    method: 'GET',
    url: session.links.manifest(session.repository, reference),
    headers: { accept: MANIFEST_ACCEPT },
    scopes: session.readScopes,
    expect: [200, 404],
    repeatable: idempotent,
    brief: true,
    signal,
  })
}

/** OCI distribution-spec, "Pushing Manifests": exactly these bytes under this tag or digest. */
export async function putManifest(
  session: RepositorySession,
  reference: Reference,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const operation = manifestOperation(session, 'push manifest', reference, 'to')
  const response = await session
    .send({
      operation,
      method: 'PUT',
      url: session.links.manifest(session.repository, reference),
      headers: { 'content-type': manifest.mediaType },
      body: manifest.bytes,
      scopes: session.writeScopes,
      expect: [200, 201, 202, 204],
      repeatable: idempotent,
      signal,
    })
    .catch((error: unknown) => {
      throw knowsAlgorithm(error, reference) ? error : unknownAlgorithm(operation, reference)
    })
  discard(response.body)
  const declared = declaredDigest(response)
  if (declared !== undefined) requireSame(manifest.digest, declared, operation)
}

// distribution 2.8 compares what it is given with the sha256 of the bytes, whatever the algorithm.
function knowsAlgorithm(error: unknown, reference: Reference): boolean {
  if (isTag(reference) || algorithmOf(reference) === 'sha256') return true
  return !(error instanceof RegistryError) || !error.codes.includes('DIGEST_INVALID')
}

function unknownAlgorithm(operation: Operation, reference: Reference): UnsupportedManifestError {
  const [algorithm = ''] = reference.split(':', 1)
  return new UnsupportedManifestError(
    operation,
    `the registry takes no manifest under a ${algorithm} digest, only under sha256. Copy the image by its tag or its sha256 digest.`,
  )
}

function manifestOperation(
  session: RepositorySession,
  verb: string,
  reference: Reference,
  preposition: string,
): Operation {
  const image = formatImageName(session.repository, reference)
  return operationOf(session, 'manifest', `${verb} ${image} ${preposition}`)
}

async function manifestBytes(response: RegistryResponse, operation: Operation): Promise<Buffer> {
  if ((contentLength(response) ?? 0) > MAX_MANIFEST_BYTES) {
    response.body.destroy()
    throw new UnsupportedManifestError(operation, TOO_LARGE)
  }
  const { bytes, complete } = await readDocument(MAX_MANIFEST_BYTES, response)
  if (isWebPage(response) && !isObject(bytes)) throw wrongAnswer(operation, WEB_PAGE)
  if (complete) return bytes
  throw new UnsupportedManifestError(operation, TOO_LARGE)
}

function isObject(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 64).trimStart().startsWith('{')
}

const TOO_LARGE = `the manifest is larger than ${MAX_MANIFEST_BYTES / 1024 / 1024} MiB, which registries refuse to take`

/** Above that, what is done with a manifest takes milliseconds: the rest of this process has turns in between. */
const LONG_FROM = 256 * 1024

async function inTurn({ length }: Buffer): Promise<void> {
  if (length >= LONG_FROM) await turnOfEvents()
}

function verify(
  bytes: Buffer,
  response: RegistryResponse,
  asked: Digest | undefined,
  operation: Operation,
): void {
  // The digest of a signed schema 1 manifest is of a part of its bytes: it would look corrupt.
  if (isSchema1Type(mediaTypeOf(response))) return
  const expected = new Set([asked, declaredDigest(response)])
  for (const digest of expected) {
    if (digest !== undefined) requireSame(digest, digestOf(bytes, algorithmOf(digest)), operation)
  }
}

function parse(
  bytes: Buffer,
  response: RegistryResponse,
  asked: Digest | undefined,
  operation: Operation,
): Manifest {
  const unprovable = isSchema1Type(mediaTypeOf(response))
  const contentType = response.header('content-type') ?? ''
  const manifest = parseManifest(bytes, contentType, unprovable ? undefined : asked)
  if (!manifest.ok) throw new UnsupportedManifestError(operation, manifest.reason)
  // Under that name any bytes would pass for any digest: an index could contain itself.
  if (unprovable) throw new UnsupportedManifestError(operation, FALSE_SCHEMA1)
  return manifest.value
}

const FALSE_SCHEMA1 =
  'the answer calls it a Docker schema 1 manifest, which it is not; the upstream or a proxy before it labels manifests wrongly'

/** Whether what was asked for by its digest is said to be something else. */
function isOther(declared: Digest, asked: Reference): boolean {
  return !isTag(asked) && asked !== declared && algorithmOf(asked) === algorithmOf(declared)
}

// Digests of two algorithms cannot be compared: a registry may name its own for what was asked by another.
function requireSame(expected: Digest, got: Digest, operation: Operation): void {
  if (!isOther(got, expected)) return
  throw new WrongDigestError(operation, expected, got)
}

function declaredDigest(response: RegistryResponse): Digest | undefined {
  const digest = parseDigest(response.header('docker-content-digest') ?? '')
  return digest.ok ? digest.value : undefined
}

/** No manifest has no bytes: some registries say 0 in their answer to a HEAD. */
function contentLength(response: RegistryResponse): number | undefined {
  const length = Number(response.header('content-length') ?? NaN)
  const isPlain = response.header('content-encoding') === undefined
  return isPlain && Number.isSafeInteger(length) && length > 0 ? length : undefined
}

function mediaTypeOf(response: RegistryResponse): string {
  const [type = ''] = (response.header('content-type') ?? '').split(';', 1)
  return type.trim().toLowerCase()
}
