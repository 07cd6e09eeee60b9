import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { type Digest, finishDigest } from '../../src/oci/digest.ts'
import { tarOf } from '../../test/support/images/image-layer.ts'

export interface NoiseLayer {
  readonly digest: Digest
  /** In bytes, as it is transferred. */
  readonly size: number
}

/** Pushes a layer of seeded noise as it is made: gigabytes of it never lie in a folder of their own. */
export async function pushNoiseLayer(
  repositoryUrl: string,
  seed: string,
  bytes: number,
): Promise<NoiseLayer> {
  const started = await fetch(`${repositoryUrl}/blobs/uploads/`, { method: 'POST' })
  const hash = createHash('sha256')
  let size = 0
  const counter = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece)
      size += piece.length
      done(null, piece)
    },
  })
  const gzip = createGzip({ level: constants.Z_NO_COMPRESSION, chunkSize: 256 * 1024 })
  const patch = request(locationOf(started), { method: 'PATCH' })
  const answered = new Promise<string>((resolve, reject) => {
    patch.once('error', reject)
    patch.once('response', (response) => {
      response.resume()
      resolve(response.headers.location ?? '')
    })
  })
  await pipeline(Readable.from(tarOf(seed, bytes)), gzip, counter, patch)
  const commit = new URL(await answered, repositoryUrl)
  const digest = finishDigest('sha256', hash)
  commit.searchParams.set('digest', digest)
  await expectCreated(await fetch(commit, { method: 'PUT' }))
  return { digest, size }
}

export async function expectCreated(response: Response): Promise<void> {
  const answer = await response.text()
  if (response.status !== 201) {
    throw new Error(`the upstream took no content: ${response.status} ${answer}`)
  }
}

function locationOf(response: Response): URL {
  return new URL(response.headers.get('location') ?? '', response.url)
}
