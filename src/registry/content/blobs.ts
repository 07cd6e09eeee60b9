import { type Readable, Transform } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { quoted } from '../../oci/parsed.ts'
import { discard } from '../transport/body.ts'
import { isWebPage, WEB_PAGE } from '../transport/document.ts'
import { continuedBlob, isHeld } from './continued-blob.ts'
import type { BlobPart, ByteRange, ExtraSlot, OpenPart } from './byte-range.ts'
import { RangedBlob } from './ranged-blob.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { idempotent } from '../transport/retry.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import type { Operation } from '../words/operation.ts'
import type { RegistryResponse } from '../transport/exchange.ts'

/** Up to that many bytes, one comes at once or not at all. */
const SMALL_BYTES = 1024 * 1024

/** Its limits may be of an hour, and one connection brings all, too. */
const PARTS_AGAIN_MS = 3_600_000

/**
 * OCI distribution-spec, "Pulling blobs", through redirects to object stores. Resolves with the
 * headers; the body is guarded against stalls and unverified. One that breaks is continued from
 * where it broke. A large one may come in parts, where there are slots for that.
 *
 * @param offset where to begin, in bytes
 */
export async function getBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
  { offset = 0, extra }: { readonly offset?: number; readonly extra?: ExtraSlot } = {},
): Promise<Readable> {
  const { size } = descriptor
  const open = (range: ByteRange, cut?: AbortSignal) =>
    openBlob(session, descriptor, cut ? AbortSignal.any([signal, cut]) : signal, range)
  const opener = (cut?: AbortSignal) => async (from: number) =>
    (await open({ from, until: size }, cut)).body
  const openRest = async (from: number, cut?: AbortSignal) => {
    const openAt = opener(cut)
    return continuedBlob(await openAt(from), { offset: from, size }, openAt)
  }
  const { ranges: limits, learned } = session
  const mayBeParts = size - offset >= limits.fromBytes && Date.now() >= learned.takesNoPartsUntil
  if (extra === undefined || !mayBeParts) return await openRest(offset)
  const first = await open({ from: offset, until: offset + limits.firstBytes })
  if (!first.isPart) return continuedBlob(first.body, { offset, size }, opener())
  const range = { from: offset, until: size }
  const openPart = noteHeld(session, sameContent(first, open))
  return new RangedBlob({ range, first, open: openPart, openRest, extra, limits })
}

interface OpenedBlob extends BlobPart {
  readonly validator: string | undefined
}

/** A part of what has another name than the first one is none: it is as if the server knew no ranges. */
function sameContent(
  { validator }: OpenedBlob,
  open: (...asked: Parameters<OpenPart>) => Promise<OpenedBlob>,
): OpenPart {
  return async (...asked) => {
    const part = await open(...asked)
    if (part.validator === validator) return part
    part.body.destroy()
    throw new Error('the part is of something else than the one before')
  }
}

/** Who refuses a part for a while may count requests or connections: the next attempt takes one. */
function noteHeld({ learned }: RepositorySession, open: OpenPart): OpenPart {
  return async (...asked) => {
    try {
      return await open(...asked)
    } catch (error) {
      if (isHeld(error)) learned.takesNoPartsUntil = Date.now() + PARTS_AGAIN_MS
      throw error
    }
  }
}

async function openBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
  range: ByteRange,
): Promise<OpenedBlob> {
  const { size } = descriptor
  const { from, until } = range
  const operation = pullOperation(session, descriptor)
  const response = await askForBlob(session, descriptor, signal, range)
  const validator = response.header('etag')
  if (response.status === RANGE_REFUSED) {
    discard(response.body)
    const { body } = await openBlob(session, descriptor, signal, { from: 0, until: size })
    return { body: skipping(body, from), isPart: false, validator }
  }
  const isPartial = response.status === 206
  const wrong = isPartial ? wrongRange(response, range, size) : wrongLength(response, size)
  if (wrong === undefined) {
    // A registry that does not know ranges sends everything once more.
    const body = isPartial ? response.body : skipping(response.body, from)
    return { body, isPart: isPartial, validator }
  }
  response.body.destroy()
  // What it answers to a part says nothing of what it answers to the rest.
  if (until < size) return await openBlob(session, descriptor, signal, { from, until: size })
  if (isWebPage(response)) throw wrongAnswer(operation, WEB_PAGE)
  // Of another size it cannot be what the digest says, however often it is asked for.
  const disposition = isPartial ? 'transient' : 'permanent'
  throw wrongAnswer(operation, wrong, { disposition })
}

async function askForBlob(
  session: RepositorySession,
  descriptor: Descriptor,
  signal: AbortSignal,
  { from, until }: ByteRange,
): Promise<RegistryResponse> {
  const { digest, size } = descriptor
  const isWhole = from === 0 && until === size
  return await session.send({
    operation: pullOperation(session, descriptor),
    method: 'GET',
    url: session.links.blob(session.repository, digest),
    ...(!isWhole && { headers: { range: `bytes=${from}-${until === size ? '' : until - 1}` } }),
    scopes: session.readScopes,
    // Some caches answer with a range that is the whole.
    expect: isWhole ? [200, 206] : [200, 206, RANGE_REFUSED],
    repeatable: idempotent,
    large: true,
    brief: size <= SMALL_BYTES,
    signal,
  })
}

function pullOperation(session: RepositorySession, { digest }: Descriptor): Operation {
  return operationOf(session, 'blob', `pull blob ${digest} of ${session.repository} from`)
}

/** Also of registries that know no ranges. */
const RANGE_REFUSED = 416

function wrongLength(response: RegistryResponse, size: number): string | undefined {
  const length = contentLength(response)
  if (length === undefined || length === size) return undefined
  return `expected ${size} bytes, the answer says that it has ${length}.`
}

// Anything but exactly that would be put in the wrong place. RFC 9110, section 14.4.
function wrongRange(
  response: RegistryResponse,
  { from, until }: ByteRange,
  size: number,
): string | undefined {
  const got = response.header('content-range')?.toLowerCase() ?? 'none'
  const wanted = `bytes ${from}-${until - 1}/${size}`
  if (got === wanted || got === `bytes ${from}-${until - 1}/*`) return undefined
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
