import type { Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, finishDigest } from '../oci/digest.ts'
import type { UploadState } from '../replication/ports.ts'
import { discard } from './body.ts'
import { longChunk } from './chunk-sizes.ts'
import type { Chunk, ChunkedBody } from './chunks.ts'
import { wrongAnswer } from './errors.ts'
import { withQuery } from './links.ts'
import { EarlyEndError } from './next-bytes.ts'
import { never } from './retry.ts'
import type { RepositorySession } from './session.ts'
import { arrivedUntil, pushOperation, uploadLocation } from './uploads.ts'
import { CorruptBlobError } from './verified-body.ts'

/** Where an upload in chunks stands when this worker begins, or continues, to send. */
export interface Begun {
  readonly location: URL
  /** Bytes of a chunk that is sent from memory. */
  readonly leastChunk: number
  /** Bytes that the registry has. */
  readonly offset: number
  /** Of all bytes so far; unknown when another worker sent them. */
  readonly hash?: Hash
}

/** One upload in chunks, one after the other. */
export class Sending {
  readonly #leastChunk: number
  readonly #session: RepositorySession
  readonly #descriptor: Descriptor
  readonly #hash: Hash | undefined
  #location: URL
  #offset: number
  #intact = true
  /** As fast as the registry took the latest chunk. */
  #takenPerMs = 0

  constructor(session: RepositorySession, descriptor: Descriptor, begun: Begun) {
    this.#session = session
    this.#descriptor = descriptor
    this.#hash = begun.hash
    this.#location = begun.location
    this.#offset = begun.offset
    this.#leastChunk = begun.leastChunk
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

  chunked(body: Readable): ChunkedBody {
    return {
      body,
      size: this.left,
      least: this.#leastChunk,
      lengthAt: (comingPerMs) => longChunk(comingPerMs, this.#takenPerMs),
      passing: (piece) => this.#hash?.update(piece),
    }
  }

  /** Not cancelled with the copy, see `Lingering`: a chunk that is cut short loses all those before it. */
  async send({ length, body }: Chunk): Promise<UploadState> {
    const end = this.#offset + length
    if (end > this.#descriptor.size) throw this.#wrongSize('more than that')
    const operation = pushOperation(this.#session, 'commit', this.#descriptor.digest)
    this.#intact = false
    const begunAt = performance.now()
    const response = await this.#session
      .send({
        operation,
        method: 'PATCH',
        url: this.#location,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': `${length}`,
          'content-range': `${this.#offset}-${end - 1}`,
        },
        body,
        scopes: this.#session.writeScopes,
        expect: [202],
        repeatable: never,
        signal: NEVER,
      })
      .catch((error: unknown) => {
        throw this.#culprit({ length, body }, error)
      })
    discard(response.body)
    const location = uploadLocation(response)
    if (location === undefined || arrivedUntil(response) !== end) {
      throw wrongAnswer(operation, `expected to be told how to go on after byte ${end - 1}.`)
    }
    this.#intact = true
    this.#takenPerMs = length / (performance.now() - begunAt)
    this.#location = location
    this.#offset = end
    return { location: location.href, offset: end, chunkSize: this.#leastChunk }
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

  /** A body that breaks takes the request with it. */
  #culprit({ length, body }: Chunk, error: unknown): unknown {
    const broken = Buffer.isBuffer(body) ? undefined : body.errored
    if (!(broken instanceof EarlyEndError)) return broken ?? error
    return this.#wrongSize(`${this.#offset + length - broken.missing}`)
  }

  #wrongSize(got: string): CorruptBlobError {
    return new CorruptBlobError(this.#descriptor, `${this.#descriptor.size} bytes`, got)
  }
}

// A registry on an object store reads the whole blob again before it answers: at this speed at least.
const COMMIT_BYTES_PER_MS = 10 * 1024

/** The stall timeout ends a request that hangs. */
const NEVER = new AbortController().signal
