import type { Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, finishDigest, hashFor } from '../oci/digest.ts'
import type { UploadCheckpoint, UploadState } from '../replication/ports.ts'
import { discard } from './body.ts'
import { chunkSizes } from './chunk-sizes.ts'
import { type ChunkSizes, chunksOf } from './chunks.ts'
import { RegistryError, wrongAnswer } from './errors.ts'
import { withQuery } from './links.ts'
import { never } from './retry.ts'
import type { ChunkSharing, RepositorySession } from './session.ts'
import type { RegistryResponse } from './transport.ts'
import { cancelUpload, openUpload, pushOperation, uploadLocation } from './uploads.ts'
import { CorruptBlobError } from './verified-body.ts'

export interface ChunkedUpload {
  readonly descriptor: Descriptor
  /** The blob's bytes from an offset on. */
  readonly open: (offset: number) => Promise<Readable>
  readonly checkpoint: UploadCheckpoint
}

/**
 * OCI distribution-spec, "Pushing a blob in chunks", so that another worker can continue: after each
 * chunk it is recorded where the upload has got to. A chunk is sent from memory in one go, because a
 * request that breaks in the middle loses the whole upload (measured with distribution 2.8).
 *
 * @returns false when the registry takes no chunks; that is remembered
 * @throws the error of whichever side failed; what was sent stays there for the next attempt, unless
 *   it is the upload itself that is lost
 */
export async function putBlobInChunks(
  session: RepositorySession,
  upload: ChunkedUpload,
  signal: AbortSignal,
): Promise<boolean> {
  const { descriptor, checkpoint } = upload
  if (!session.learned.takesChunks) return false
  const begun = (await resumed(session, upload, signal)) ?? (await started(session, upload, signal))
  const sending = new Sending(session, descriptor, begun)
  try {
    await sendAll(sending, upload, session.chunks, signal)
    await sending.commit(signal)
    await checkpoint.clear()
    return true
  } catch (error) {
    if (!sending.intact || error instanceof CorruptBlobError) {
      await checkpoint.clear()
      await cancelUpload(session, sending.location)
    }
    if (sending.offset > 0 || !refusesChunks(error)) throw error
    session.learned.takesChunks = false
    return false
  }
}

const UNWILLING = new Set([400, 404, 405, 411, 415, 416, 501])

function refusesChunks(error: unknown): boolean {
  return error instanceof RegistryError && UNWILLING.has(error.status ?? 0)
}

interface Begun extends UploadStart {
  readonly offset: number
  /** Of all bytes so far; unknown when another worker sent them. */
  readonly hash?: Hash
}

interface UploadStart {
  readonly location: URL
  readonly chunkSizes: ChunkSizes
}

async function started(
  session: RepositorySession,
  { descriptor }: ChunkedUpload,
  signal: AbortSignal,
): Promise<Begun> {
  const { location, minimumChunk } = await openUpload(session, descriptor.digest, signal)
  return {
    location,
    offset: 0,
    chunkSizes: chunkSizes(descriptor, minimumChunk),
    hash: hashFor(descriptor.digest),
  }
}

/** Undefined when there is nothing to continue: no record, or the registry does not know the upload. */
async function resumed(
  session: RepositorySession,
  { descriptor, checkpoint }: ChunkedUpload,
  signal: AbortSignal,
): Promise<Begun | undefined> {
  const state = await checkpoint.load()
  if (state === undefined) return undefined
  const upload = await statusOf(session, descriptor, state, signal)
  if (upload !== undefined) {
    return { ...upload, chunkSizes: chunkSizes(descriptor, state.chunkSize) }
  }
  await checkpoint.clear()
  return undefined
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
    const [location, offset] = [uploadLocation(response), endOf(response)]
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

async function sendAll(
  sending: Sending,
  { open, checkpoint }: ChunkedUpload,
  { buffers, turns }: ChunkSharing,
  signal: AbortSignal,
): Promise<void> {
  // All of it had arrived when the worker died; a range from there on is one that nobody can satisfy.
  if (sending.left === 0) return
  const body = await open(sending.offset)
  const { chunkSizes: sizes, left: size } = sending
  for await (const chunk of chunksOf({ body, sizes, size }, buffers)) {
    // While a chunk is on its way, the death of this process costs the whole upload; so few at a time.
    await turns.take(async () => {
      signal.throwIfAborted()
      await checkpoint.save(await sending.send(chunk))
    })
    signal.throwIfAborted()
  }
}

class Sending {
  readonly chunkSizes: ChunkSizes
  readonly #session: RepositorySession
  readonly #descriptor: Descriptor
  readonly #hash: Hash | undefined
  #location: URL
  #offset: number
  #intact = true

  constructor(session: RepositorySession, descriptor: Descriptor, begun: Begun) {
    this.#session = session
    this.#descriptor = descriptor
    this.#hash = begun.hash
    this.#location = begun.location
    this.#offset = begun.offset
    this.chunkSizes = begun.chunkSizes
  }

  get location(): URL {
    return this.#location
  }

  get offset(): number {
    return this.#offset
  }

  /** In bytes. */
  get left(): number {
    return this.#descriptor.size - this.#offset
  }

  /** Whether every chunk was taken whole, so that the upload can be continued. */
  get intact(): boolean {
    return this.#intact
  }

  /** Not cancelled with the copy: a chunk that is cut short loses all those before it. */
  async send(chunk: Buffer): Promise<UploadState> {
    const end = this.#offset + chunk.length
    if (end > this.#descriptor.size) throw this.#wrongSize('more than that')
    const operation = pushOperation(this.#session, 'commit', this.#descriptor.digest)
    this.#intact = false
    const response = await this.#session.send({
      operation,
      method: 'PATCH',
      url: this.#location,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': `${chunk.length}`,
        'content-range': `${this.#offset}-${end - 1}`,
      },
      body: chunk,
      scopes: this.#session.writeScopes,
      expect: [202],
      repeatable: never,
      signal: NEVER,
    })
    discard(response.body)
    const location = uploadLocation(response)
    if (location === undefined || endOf(response) !== end) {
      throw wrongAnswer(operation, `expected to be told how to go on after byte ${end - 1}.`)
    }
    this.#intact = true
    this.#hash?.update(chunk)
    this.#location = location
    this.#offset = end
    return { location: location.href, offset: end, chunkSize: this.chunkSizes.least }
  }

  /** Of an upload that another worker began, only the registry has all bytes: it checks them here. */
  async commit(signal: AbortSignal): Promise<void> {
    const { digest, size } = this.#descriptor
    if (this.left !== 0) throw this.#wrongSize(`${this.#offset}`)
    const got = this.#hash && finishDigest(algorithmOf(digest), this.#hash)
    if (got !== undefined && got !== digest)
      throw new CorruptBlobError(this.#descriptor, digest, got)
    this.#intact = false
    const response = await this.#session.send({
      operation: pushOperation(this.#session, 'commit', digest),
      method: 'PUT',
      url: withQuery(this.#location, { digest }),
      headers: { 'content-type': 'application/octet-stream', 'content-length': '0' },
      scopes: this.#session.writeScopes,
      expect: [200, 201, 204],
      patienceMs: size / COMMIT_BYTES_PER_MS,
      repeatable: never,
      signal,
    })
    discard(response.body)
  }

  #wrongSize(got: string): CorruptBlobError {
    return new CorruptBlobError(this.#descriptor, `${this.#descriptor.size} bytes`, got)
  }
}

// A registry on an object store reads the whole blob again before it answers: at this speed at least.
const COMMIT_BYTES_PER_MS = 10 * 1024

/** The stall timeout ends a request that hangs. */
const NEVER = new AbortController().signal

/** The first byte that the registry does not have, from its `Range: 0-<last>`. */
function endOf(response: RegistryResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.header('range') ?? '')?.[1]
  return last === undefined ? undefined : Number(last) + 1
}
