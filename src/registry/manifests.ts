import { algorithmOf, type Digest, digestOf, parseDigest } from '../oci/digest.ts'
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from '../oci/manifest.ts'
import { isSchema1Type, MANIFEST_ACCEPT } from '../oci/media-types.ts'
import { formatImageName, isTag, type Reference } from '../oci/reference.ts'
import type { ManifestHead } from '../replication/ports.ts'
import { discard, readUpTo } from './body.ts'
import { RegistryError, UnsupportedManifestError, wrongAnswer } from './errors.ts'
import type { Operation } from './operation.ts'
import { idempotent } from './retry.ts'
import { operationOf, type RepositorySession } from './session.ts'
import type { RegistryResponse } from './transport.ts'

/**
 * OCI distribution-spec, "Checking if content exists in the registry": any 404 is "not there". A
 * registry whose HEAD is not allowed, or does not tell the digest, is asked for the manifest itself.
 */
export async function headManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
): Promise<ManifestHead | undefined> {
  const operation = manifestOperation(session, 'look up manifest', reference, 'at')
  const response = await session.send({
    operation,
    method: 'HEAD',
    url: session.links.manifest(session.repository, reference),
    headers: { accept: MANIFEST_ACCEPT },
    scopes: session.readScopes,
    expect: [200, 404, 405],
    repeatable: idempotent,
    signal,
  })
  discard(response.body)
  if (response.status === 404) return undefined
  const told = response.status === 200 ? toldDigest(response) : undefined
  const mediaType = mediaTypeOf(response)
  if (told === undefined || mediaType === '') return await getManifest(session, reference, signal)
  if (!isTag(reference)) requireSame(reference, told, operation)
  const digest = isTag(reference) ? told : reference
  const size = contentLength(response)
  return { digest, mediaType, ...(size !== undefined && { size }) }
}

/**
 * OCI distribution-spec, "Pulling manifests", with every byte verified; any 404 is "not there".
 * Throws an UnsupportedManifestError for what cannot be copied byte-exact.
 */
export async function getManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  const operation = manifestOperation(session, 'pull manifest', reference, 'from')
  const response = await session.send({
    operation,
    method: 'GET',
    url: session.links.manifest(session.repository, reference),
    headers: { accept: MANIFEST_ACCEPT },
    scopes: session.readScopes,
    expect: [200, 404],
    repeatable: idempotent,
    signal,
  })
  if (response.status === 404) {
    discard(response.body)
    return undefined
  }
  const bytes = await manifestBytes(response, operation)
  return verified(bytes, response, isTag(reference) ? undefined : reference, operation)
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
      expect: [200, 201, 202],
      repeatable: idempotent,
      signal,
    })
    .catch((error: unknown) => {
      throw knowsAlgorithm(error, reference) ? error : unknownAlgorithm(operation, reference)
    })
  discard(response.body)
  const told = toldDigest(response)
  if (told !== undefined) requireSame(manifest.digest, told, operation)
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
  const { bytes, complete } = await readUpTo(MAX_MANIFEST_BYTES, response.body)
  if (complete) return bytes
  throw new UnsupportedManifestError(operation, TOO_LARGE)
}

const TOO_LARGE = `the manifest is larger than ${MAX_MANIFEST_BYTES / 1024 / 1024} MiB, which registries refuse to take`

function verified(
  bytes: Buffer,
  response: RegistryResponse,
  asked: Digest | undefined,
  operation: Operation,
): Manifest {
  const contentType = response.header('content-type') ?? ''
  // The digest of a signed schema 1 manifest is of a part of its bytes: it would look corrupt.
  const unprovable = isSchema1Type(mediaTypeOf(response))
  for (const expected of unprovable ? [] : [asked, toldDigest(response)]) {
    if (expected !== undefined) {
      requireSame(expected, digestOf(bytes, algorithmOf(expected)), operation)
    }
  }
  const manifest = parseManifest(bytes, contentType, unprovable ? undefined : asked)
  if (!manifest.ok) throw new UnsupportedManifestError(operation, manifest.reason)
  // Under that name any bytes would pass for any digest: an index could contain itself.
  if (unprovable) throw new UnsupportedManifestError(operation, FALSE_SCHEMA1)
  return manifest.value
}

const FALSE_SCHEMA1 =
  'the answer calls it a Docker schema 1 manifest, which it is not; the upstream or a proxy before it labels manifests wrongly'

// Digests of two algorithms cannot be compared: a registry may name its own for what was asked by another.
function requireSame(expected: Digest, got: Digest, operation: Operation): void {
  if (expected === got || algorithmOf(expected) !== algorithmOf(got)) return
  throw wrongAnswer(operation, `expected the manifest ${expected}, got ${got}.`)
}

function toldDigest(response: RegistryResponse): Digest | undefined {
  const digest = parseDigest(response.header('docker-content-digest') ?? '')
  return digest.ok ? digest.value : undefined
}

function contentLength(response: RegistryResponse): number | undefined {
  const length = Number(response.header('content-length') ?? NaN)
  return Number.isSafeInteger(length) ? length : undefined
}

function mediaTypeOf(response: RegistryResponse): string {
  const [type = ''] = (response.header('content-type') ?? '').split(';', 1)
  return type.trim().toLowerCase()
}
