import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import { hashFor } from '../oci/digest.ts'
import type { OpenBlob, UploadCheckpoint, UploadState } from '../replication/ports.ts'
import { discard } from './body.ts'
import { chunkPatience, leastChunk } from './chunk-sizes.ts'
import { chunksOf } from './chunks.ts'
import { RegistryError } from './errors.ts'
import { Lingering } from './lingering.ts'
import { never } from './retry.ts'
import type { ChunkSharing, RepositorySession } from './session.ts'
import { type Begun, Sending } from './sending.ts'
import { arrivedUntil, cancelUpload, openUpload, pushOperation, uploadLocation } from './uploads.ts'
import { CorruptBlobError } from './verified-body.ts'

export interface ChunkedUpload {
  readonly descriptor: Descriptor
  /** The blob's bytes from an offset on, until the signal. */
  readonly open: OpenBlob
  readonly checkpoint: UploadCheckpoint
}

/**
 * OCI distribution-spec, "Pushing a blob in chunks", so that another worker can continue: after each
 * chunk it is recorded where the upload has got to. A chunk is sent from memory in one go, because a
 * request that breaks in the middle loses the whole upload (measured with distribution 2.8).
 *
 * @returns false when the registry takes no chunks; that is remembered for an hour
 * @throws the error of whichever side failed; what was sent stays there for the next attempt, unless
 *   it is the upload itself that is lost
 */
export async function putBlobInChunks(
  session: RepositorySession,
  upload: ChunkedUpload,
  signal: AbortSignal,
): Promise<boolean> {
  const { descriptor, checkpoint } = upload
  if (Date.now() < session.learned.takesNoChunksUntil) return false
  using fetching = new Lingering(signal)
  const { begun, body } = await begin(session, upload, { until: fetching.signal, signal })
  const sending = new Sending(session, descriptor, begun)
  try {
    if (body !== undefined)
      await sendAll(sending, session.chunks, { body, checkpoint, fetching, signal })
    await sending.commit(signal)
    await checkpoint.clear()
    return true
  } catch (error) {
    if (!sending.intact || error instanceof CorruptBlobError) {
      await checkpoint.clear()
      await cancelUpload(session, sending.location)
    }
    if (sending.offset > 0 || !refusesChunks(error)) throw error
    session.learned.takesNoChunksUntil = Date.now() + CHUNKS_AGAIN_MS
    return false
  }
}

/** It can be upgraded, and what looked like a refusal may have been an upload that got lost. */
const CHUNKS_AGAIN_MS = 3_600_000

const UNWILLING = new Set([400, 404, 405, 411, 415, 416, 501])

function refusesChunks(error: unknown): boolean {
  return error instanceof RegistryError && UNWILLING.has(error.status ?? 0)
}

interface Opened {
  readonly begun: Begun
  /** Undefined when all bytes had arrived: a range from there on is one that nobody can satisfy. */
  readonly body: Readable | undefined
}

async function begin(
  session: RepositorySession,
  upload: ChunkedUpload,
  { until, signal }: { readonly until: AbortSignal; readonly signal: AbortSignal },
): Promise<Opened> {
  const { descriptor, open, checkpoint } = upload
  const state = await checkpoint.load()
  const found = state && (await statusOf(session, descriptor, state, signal))
  if (found === undefined) {
    if (state !== undefined) await checkpoint.clear()
    return await beginNew(session, upload, { until, signal })
  }
  const all = found.offset === descriptor.size
  const body = all ? undefined : held(await open(found.offset, until))
  return { begun: { ...found, leastChunk: leastChunk(state?.chunkSize) }, body }
}

/** It may break before anybody reads it; who reads it later is still told. */
function held(body: Readable): Readable {
  return body.on('error', () => undefined)
}

/** The blob is opened while the registry opens the upload: clients may be waiting for it. */
async function beginNew(
  session: RepositorySession,
  { descriptor, open }: ChunkedUpload,
  { until, signal }: { readonly until: AbortSignal; readonly signal: AbortSignal },
): Promise<Opened> {
  const [body, upload] = await Promise.allSettled([
    open(0, until).then(held),
    openUpload(session, descriptor.digest, signal),
  ])
  if (body.status === 'rejected') {
    if (upload.status === 'fulfilled') await cancelUpload(session, upload.value.location)
    throw body.reason
  }
  if (upload.status === 'rejected') {
    body.value.destroy()
    throw upload.reason
  }
  const { location, minimumChunk } = upload.value
  const begun = { location, offset: 0, leastChunk: leastChunk(minimumChunk) }
  return { begun: { ...begun, hash: hashFor(descriptor.digest) }, body: body.value }
}

/**
 * OCI distribution-spec, "Pushing a blob in chunks": the upload's status, with a fresh location. Some
 * registries have more by then than was recorded: they keep what came of a chunk that was cut short.
 */
async function statusOf(
  session: RepositorySession,
  { digest, size }: Descriptor,
  state: UploadState,
  signal: AbortSignal,
): Promise<Pick<Begun, 'location' | 'offset'> | undefined> {
  if (!URL.canParse(state.location)) return undefined
  try {
    const response = await session.send({
      operation: pushOperation(session, 'upload', digest),
      method: 'GET',
      url: new URL(state.location),
      scopes: session.writeScopes,
      expect: [204],
      repeatable: never,
      signal,
    })
    discard(response.body)
    const [location, offset] = [uploadLocation(response), arrivedUntil(response)]
    if (location === undefined || offset === undefined) return undefined
    return offset >= state.offset && offset <= size ? { location, offset } : undefined
  } catch (error) {
    // Whatever the registry says of an upload that it will not continue, a new one is as good.
    if (error instanceof RegistryError && error.status !== undefined && error.status < 500) {
      return undefined
    }
    throw error
  }
}

interface Sent {
  readonly body: Readable
  readonly checkpoint: UploadCheckpoint
  readonly fetching: Lingering
  readonly signal: AbortSignal
}

async function sendAll(
  sending: Sending,
  { buffers, turns }: ChunkSharing,
  { body, checkpoint, fetching, signal }: Sent,
): Promise<void> {
  for await (const chunk of chunksOf(sending.chunked(body), buffers)) {
    // While a chunk is on its way, the death of this process costs the whole upload; so few at a time.
    await turns.take({ patienceMs: chunkPatience(chunk), signal }, async () => {
      signal.throwIfAborted()
      await checkpoint.save(await fetching.during(() => sending.send(chunk)))
    })
    signal.throwIfAborted()
  }
}
