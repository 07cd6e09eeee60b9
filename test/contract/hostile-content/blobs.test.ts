import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { CorruptBlobError } from '../../../src/registry/upload/verified-body.ts'
import { blobOf, bytesOf, failureOf, randomBlob, SIGNAL } from '../contract-content.ts'
import { BLOBS, bothSides, type BothSides, STALL_MS } from './both-sides.ts'

let sides: BothSides

beforeEach(async () => {
  sides = await bothSides()
})

afterEach(() => sides[Symbol.asyncDispose]())

describe('an upstream that sends a blob wrong', () => {
  const blob = randomBlob(300_000)
  const { bytes } = blob

  it.each([
    ['wrong bytes under the right digest', Buffer.alloc(bytes.length, 7)],
    ['a short body that ends well', bytes.subarray(0, 100_000)],
    ['a long body', Buffer.concat([bytes, bytes])],
  ])('with %s: nothing of it is committed', async (_, wrong) => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200)
      response.end(wrong)
    })

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toBeInstanceOf(CorruptBlobError)
    expect(failure).toMatchObject({ disposition: 'transient' })
    sides.expectNothingLocal(blob)
  })

  it('with an endless body: it is cut as soon as it is too long', async () => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200)
      const more = () => {
        while (response.write(bytes));
      }
      response.on('drain', more)
      more()
    })

    const failure = await failureOf(sides.copy(blob))

    expect(String(failure)).toMatch(/expected 300000 bytes, got more than that/)
    sides.expectNothingLocal(blob)
  })

  it('with a length that is not the blob’s: nothing is opened at the target', async () => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.end(Buffer.alloc(5)),
    )

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ disposition: 'permanent', registry: 'hq' })
    expect(String(failure)).toMatch(/expected 300000 bytes, the answer says that it has 5/)
    expect(sides.local.requests).toHaveLength(0)
  })

  it('with a reset in the middle: the failure is the upstream’s, not the target’s', async () => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 100_000), () => response.destroy())
    })

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq', side: 'upstream' })
    expect(String(failure)).toMatch(/pull blob sha256:.* from upstream "hq" failed: .* broke off/)
    sides.expectNothingLocal(blob)
  })

  it('with headers and then silence: it is cut by the stall timeout', async () => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 100_000))
    })

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ registry: 'hq', networkCode: 'STALLED' })
    sides.expectNothingLocal(blob)
  })

  it('with no answer at all: it is cut by the stall timeout, and not tried again', async () => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, () => undefined)

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ registry: 'hq', networkCode: 'STALLED' })
    expect(sides.upstream.requests).toHaveLength(1)
  })

  it('slowly, for longer than the stall timeout: nothing is cut while bytes come', async () => {
    const small = blobOf(Buffer.from('slow but steady'))
    sides.upstream.script({ method: 'GET', path: BLOBS }, async ({ response }) => {
      response.writeHead(200)
      for (const byte of small.bytes) {
        response.write(Buffer.of(byte))
        await pause(STALL_MS / 10)
      }
      response.end()
    })

    await sides.copy(small)

    expect(sides.local.hasBlob('team/app', small.descriptor.digest)).toBe(true)
  })

  it.each([
    ['without a word of which', {}],
    ['as it says', { 'content-range': `bytes 0-9/${bytes.length}` }],
  ])('in part, %s, as a 206 that nobody asked for: it is refused', async (_, headers) => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(206, headers).end(bytes.subarray(0, 10)),
    )

    expect(String(await failureOf(sides.copy(blob)))).toMatch(/expected the range/)
  })

  it.each([
    [206, { 'content-range': `Bytes 0-${bytes.length - 1}/${bytes.length}` }],
    [203, {}],
  ])('whole, as a %i that nobody asked for: it is taken', async (status, headers) => {
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(status, headers).end(bytes),
    )

    await sides.copy(blob)

    expect(sides.local.hasBlob('team/app', blob.descriptor.digest)).toBe(true)
  })

  it('as a web page: that is said, and it may be better next time', async () => {
    const page = '<html>Sign in</html>'
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-length': page.length }
    sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(200, headers).end(page),
    )

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
    expect(String(failure)).toMatch(/the answer is a web page/)
  })

  it('not at all, as a 404: the manifest promised it, so it is tried again later', async () => {
    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({
      status: 404,
      disposition: 'transient',
      codes: ['BLOB_UNKNOWN'],
    })
    expect(String(failure)).toMatch(/lists this blob in a manifest but does not have it/)
  })
})

describe('a body that takes its time', () => {
  it('is not taken for a stalled target', async () => {
    const { bytes, descriptor } = randomBlob(200_000)
    const body = Readable.from(
      (async function* () {
        yield bytes.subarray(0, 100_000)
        await pause(STALL_MS * 3)
        yield bytes.subarray(100_000)
      })(),
    )

    await sides.target.putBlob(descriptor, body, SIGNAL)

    expect(sides.local.hasBlob('team/app', descriptor.digest)).toBe(true)
  })
})

describe('a reader that takes its time', () => {
  it('is not taken for a stalled upstream', async () => {
    const blob = randomBlob(3_000_000)
    sides.upstream.addBlob('team/app', blob.bytes)

    const body = await sides.source.getBlob(blob.descriptor, SIGNAL)
    await pause(STALL_MS * 3)

    expect(digestOf(await bytesOf(body))).toBe(blob.descriptor.digest)
  })

  it('is told of a break that came before it began to read', async () => {
    const { bytes, descriptor } = randomBlob(100_000)
    const broken = new Promise((resolve) => {
      sides.upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
        response.once('close', resolve)
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, 10), () => response.destroy())
      })
    })

    const body = await sides.source.getBlob(descriptor, SIGNAL)
    await broken

    expect(await failureOf(sides.target.putBlob(descriptor, body, SIGNAL))).toMatchObject({
      registry: 'hq',
    })
    expect(sides.local.openUploads()).toBe(0)
  })
})
