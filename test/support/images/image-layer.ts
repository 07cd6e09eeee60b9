import { createCipheriv, createHash, type Hash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { type Digest, finishDigest } from '../../../src/oci/digest.ts'
import { run } from '../process/run.ts'

export interface Layer {
  readonly digest: Digest
  /** Of the uncompressed tar; OCI image-spec, config.md#properties. */
  readonly diffId: Digest
  readonly size: number
  readonly file: string
}

const CHUNK_BYTES = 64 * 1024
const TAR_BLOCK_BYTES = 512

/** Writes a gzipped tar with one file of seeded noise into the layout; memory does not grow with its size. */
export async function writeLayer(folder: string, seed: string, bytes: number): Promise<Layer> {
  return await gzipLayer(folder, Readable.from(tarOf(seed, bytes)))
}

/** Writes a gzipped tar of all that is in a folder, owned by root, into the layout. */
export async function packLayer(folder: string, packed: string): Promise<Layer> {
  const root = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0']
  const { code, stdout, stderr } = await run('tar', ['-C', packed, ...root, '-cf', '-', '.'])
  if (code !== 0) throw new Error(`tar of ${packed} failed: ${stderr.toString('utf8')}`)
  return await gzipLayer(folder, Readable.from([stdout]))
}

async function gzipLayer(folder: string, unpacked: Readable): Promise<Layer> {
  const blobs = join(folder, 'blobs', 'sha256')
  const unfinished = join(blobs, `unfinished-${randomUUID()}`)
  const tar = counter()
  const gzip = counter()
  await pipeline(
    unpacked,
    tar.stream,
    // Noise does not compress; storing it keeps gigabytes of it cheap.
    createGzip({ level: constants.Z_NO_COMPRESSION }),
    gzip.stream,
    createWriteStream(unfinished),
  )
  const digest = finishDigest('sha256', gzip.hash)
  const file = join(blobs, digest.slice('sha256:'.length))
  await rename(unfinished, file)
  return { digest, diffId: finishDigest('sha256', tar.hash), size: gzip.bytes(), file }
}

function counter(): { stream: Transform; hash: Hash; bytes(): number } {
  const hash = createHash('sha256')
  let bytes = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  return { stream, hash, bytes: () => bytes }
}

/** The bytes of a tar with one file of seeded noise. */
export function* tarOf(seed: string, bytes: number): Generator<Buffer> {
  const name = `layer-${createHash('sha256').update(seed).digest('hex').slice(0, 16)}`
  yield tarHeader(name, bytes)
  yield* noise(seed, bytes)
  yield Buffer.alloc((TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES)
  yield Buffer.alloc(2 * TAR_BLOCK_BYTES)
}

/** POSIX ustar, as in IEEE Std 1003.1, pax, "ustar Interchange Format". */
function tarHeader(name: string, bytes: number): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_BYTES)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

// A stream cipher's key stream: as random as it needs to be, repeatable, and about a gigabyte a second.
function* noise(seed: string, bytes: number): Generator<Buffer> {
  const key = createHash('sha256').update(seed).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  const zeros = Buffer.alloc(CHUNK_BYTES)
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
    yield cipher.update(left < CHUNK_BYTES ? zeros.subarray(0, left) : zeros)
  }
}
