import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../../src/oci/descriptor.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import { CorruptBlobError, VerifiedBody } from '../../../../src/registry/upload/verified-body.ts'

const BYTES = randomBytes(100_000)

function describeBlob(bytes: Buffer, algorithm: 'sha256' | 'sha512' = 'sha256'): Descriptor {
  return { mediaType: 'x', digest: digestOf(bytes, algorithm), size: bytes.length }
}

/** What came out, and how it ended. */
async function passThrough(pieces: readonly Buffer[], descriptor: Descriptor) {
  const verified = new VerifiedBody(Readable.from(pieces), descriptor)
  const out: Buffer[] = []
  const end = pipeline(verified, async (chunks: AsyncIterable<unknown>) => {
    for await (const chunk of chunks) out.push(chunk as Buffer)
  })
  const failure: unknown = await end.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { bytes: Buffer.concat(out), failure, proven: verified.proven }
}

function piecesOf(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size)
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
}

describe('VerifiedBody', () => {
  it.each(['sha256', 'sha512'] as const)('passes the right bytes on, by %s', async (algorithm) => {
    const { bytes, failure, proven } = await passThrough(
      piecesOf(BYTES, 7_000),
      describeBlob(BYTES, algorithm),
    )

    expect(failure).toBeUndefined()
    expect(proven).toBe(true)
    expect(bytes.equals(BYTES)).toBe(true)
  })

  it('passes nothing on for a blob of no bytes, and proves it', async () => {
    const none = Buffer.alloc(0)

    expect(await passThrough([], describeBlob(none))).toMatchObject({ proven: true, bytes: none })
  })

  it('holds back the last piece of a blob that is wrong, wherever it is wrong', async () => {
    const wrong = Buffer.from(BYTES)
    wrong[0] = (BYTES[0] ?? 0) ^ 1

    const { bytes, failure, proven } = await passThrough(
      piecesOf(wrong, 7_000),
      describeBlob(BYTES),
    )

    expect(failure).toBeInstanceOf(CorruptBlobError)
    expect(proven).toBe(false)
    expect(bytes.length).toBeLessThan(BYTES.length)
  })

  it('passes nothing on of a wrong blob in one piece', async () => {
    const { bytes } = await passThrough([Buffer.alloc(BYTES.length)], describeBlob(BYTES))

    expect(bytes).toHaveLength(0)
  })

  it('says what was expected and what came', async () => {
    const wrong = Buffer.from('wrong')
    const { failure } = await passThrough([wrong], { ...describeBlob(BYTES), size: 5 })
    const got = `sha256:${createHash('sha256').update(wrong).digest('hex')}`

    expect(String(failure)).toContain(`expected ${digestOf(BYTES)}, got ${got}`)
  })

  it('never lets more pass than the blob has', async () => {
    const { bytes, failure } = await passThrough([BYTES, BYTES, BYTES], describeBlob(BYTES))

    expect(String(failure)).toContain('expected 100000 bytes, got more')
    expect(bytes).toHaveLength(0)
  })
})
