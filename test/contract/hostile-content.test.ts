import type { OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { DOCKER_SCHEMA1_SIGNED, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { UnsupportedManifestError } from '../../src/registry/errors/registry-error.ts'
import type { Registry } from '../../src/registry/registry.ts'
import type { RegistryRepository } from '../../src/registry/repository.ts'
import { CorruptBlobError } from '../../src/registry/upload/verified-body.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import {
  type Blob,
  blobOf,
  bytesOf,
  configFor,
  failureOf,
  manifestOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
} from './contract-content.ts'

const STALL_MS = 300
const BLOBS = /\/blobs\/sha256:/
const MANIFESTS = /\/manifests\//

let upstream: ScriptedRegistry
let local: ScriptedRegistry
let clients: readonly Registry[]
let source: RegistryRepository
let target: RegistryRepository

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startScriptedRegistry()
  const options = { stallTimeoutMs: STALL_MS }
  const from = open(configFor(upstream.url, { id: 'hq' }), options)
  const to = open(configFor(local.url), options)
  clients = [from, to]
  source = from.repository(repository('team/app'))
  target = to.repository(repository('team/app'))
})

afterEach(async () => {
  for (const client of clients) await client[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
  await local[Symbol.asyncDispose]()
})

async function copy({ descriptor }: Blob): Promise<void> {
  await target.putBlob(descriptor, await source.getBlob(descriptor, SIGNAL), SIGNAL)
}

/** Whatever happened, nothing of it may be left behind. */
function expectNothingLocal({ descriptor }: Blob): void {
  expect(local.hasBlob('team/app', descriptor.digest)).toBe(false)
  expect(local.openUploads()).toBe(0)
}

describe('an upstream that sends a blob wrong', () => {
  const blob = randomBlob(300_000)
  const { bytes } = blob

  it.each([
    ['wrong bytes under the right digest', Buffer.alloc(bytes.length, 7)],
    ['a short body that ends well', bytes.subarray(0, 100_000)],
    ['a long body', Buffer.concat([bytes, bytes])],
  ])('with %s: nothing of it is committed', async (_, wrong) => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200)
      response.end(wrong)
    })

    const failure = await failureOf(copy(blob))

    expect(failure).toBeInstanceOf(CorruptBlobError)
    expect(failure).toMatchObject({ disposition: 'transient' })
    expectNothingLocal(blob)
  })

  it('with an endless body: it is cut as soon as it is too long', async () => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200)
      const more = () => {
        while (response.write(bytes));
      }
      response.on('drain', more)
      more()
    })

    const failure = await failureOf(copy(blob))

    expect(String(failure)).toMatch(/expected 300000 bytes, got more than that/)
    expectNothingLocal(blob)
  })

  it('with a length that is not the blob’s: nothing is opened at the target', async () => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => response.end(Buffer.alloc(5)))

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ disposition: 'permanent', registry: 'hq' })
    expect(String(failure)).toMatch(/expected 300000 bytes, the answer says that it has 5/)
    expect(local.requests).toHaveLength(0)
  })

  it('with a reset in the middle: the failure is the upstream’s, not the target’s', async () => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 100_000), () => response.destroy())
    })

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq', side: 'upstream' })
    expect(String(failure)).toMatch(/pull blob sha256:.* from upstream "hq" failed: .* broke off/)
    expectNothingLocal(blob)
  })

  it('with headers and then silence: it is cut by the stall timeout', async () => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 100_000))
    })

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ registry: 'hq', networkCode: 'STALLED' })
    expectNothingLocal(blob)
  })

  it('with no answer at all: it is cut by the stall timeout, and not tried again', async () => {
    upstream.script({ method: 'GET', path: BLOBS }, () => undefined)

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ registry: 'hq', networkCode: 'STALLED' })
    expect(upstream.requests).toHaveLength(1)
  })

  it('slowly, for longer than the stall timeout: nothing is cut while bytes come', async () => {
    const small = blobOf(Buffer.from('slow but steady'))
    upstream.script({ method: 'GET', path: BLOBS }, async ({ response }) => {
      response.writeHead(200)
      for (const byte of small.bytes) {
        response.write(Buffer.of(byte))
        await pause(STALL_MS / 10)
      }
      response.end()
    })

    await copy(small)

    expect(local.hasBlob('team/app', small.descriptor.digest)).toBe(true)
  })

  it.each([
    ['without a word of which', {}],
    ['as it says', { 'content-range': `bytes 0-9/${bytes.length}` }],
  ])('in part, %s, as a 206 that nobody asked for: it is refused', async (_, headers) => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(206, headers).end(bytes.subarray(0, 10)),
    )

    expect(String(await failureOf(copy(blob)))).toMatch(/expected the range/)
  })

  it.each([
    [206, { 'content-range': `Bytes 0-${bytes.length - 1}/${bytes.length}` }],
    [203, {}],
  ])('whole, as a %i that nobody asked for: it is taken', async (status, headers) => {
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(status, headers).end(bytes),
    )

    await copy(blob)

    expect(local.hasBlob('team/app', blob.descriptor.digest)).toBe(true)
  })

  it('as a web page: that is said, and it may be better next time', async () => {
    const page = '<html>Sign in</html>'
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-length': page.length }
    upstream.script({ method: 'GET', path: BLOBS }, ({ response }) =>
      response.writeHead(200, headers).end(page),
    )

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
    expect(String(failure)).toMatch(/the answer is a web page/)
  })

  it('not at all, as a 404: the manifest promised it, so it is tried again later', async () => {
    const failure = await failureOf(copy(blob))

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

    await target.putBlob(descriptor, body, SIGNAL)

    expect(local.hasBlob('team/app', descriptor.digest)).toBe(true)
  })
})

describe('a reader that takes its time', () => {
  it('is not taken for a stalled upstream', async () => {
    const blob = randomBlob(3_000_000)
    upstream.addBlob('team/app', blob.bytes)

    const body = await source.getBlob(blob.descriptor, SIGNAL)
    await pause(STALL_MS * 3)

    expect(digestOf(await bytesOf(body))).toBe(blob.descriptor.digest)
  })

  it('is told of a break that came before it began to read', async () => {
    const { bytes, descriptor } = randomBlob(100_000)
    const broken = new Promise((resolve) => {
      upstream.script({ method: 'GET', path: BLOBS }, ({ response }) => {
        response.once('close', resolve)
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, 10), () => response.destroy())
      })
    })

    const body = await source.getBlob(descriptor, SIGNAL)
    await broken

    expect(await failureOf(target.putBlob(descriptor, body, SIGNAL))).toMatchObject({
      registry: 'hq',
    })
    expect(local.openUploads()).toBe(0)
  })
})

describe('an upstream that sends a manifest wrong', () => {
  const manifest = manifestOf({ config: randomBlob(10).descriptor, layers: [] })

  function sendManifest(bytes: Buffer, headers: Record<string, string> = {}) {
    return ({ request, response }: Turn) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST, ...headers })
      response.end(request.method === 'HEAD' ? undefined : bytes)
    }
  }

  it.each([
    ['and says so', { 'content-length': `${5 * 1024 * 1024}` }],
    ['and does not say so', {}],
  ])('of 5 MiB, %s: it is refused for good', async (_, headers) => {
    const bytes = Buffer.alloc(5 * 1024 * 1024, ' ')
    upstream.script({ path: MANIFESTS }, sendManifest(bytes, headers))

    const failure = await failureOf(source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/larger than 4 MiB/)
  })

  it('of Docker schema 1: it is unsupported, whatever its digest', async () => {
    upstream.script(
      { path: MANIFESTS },
      sendManifest(Buffer.from('{"schemaVersion":1}'), {
        'content-type': DOCKER_SCHEMA1_SIGNED,
        'docker-content-digest': manifest.digest,
      }),
    )

    const failure = await failureOf(source.getManifest(manifest.digest, SIGNAL))

    expect(failure).toBeInstanceOf(UnsupportedManifestError)
    expect(failure).toMatchObject({ content: 'unsupported', disposition: 'permanent' })
    expect(String(failure)).toMatch(/schema 1/)
  })

  it.each([
    ['without its digest in the answer to HEAD', sendManifest(manifest.bytes)],
    [
      'with a 405 to HEAD',
      (turn: Turn) => {
        if (turn.request.method === 'HEAD') turn.response.writeHead(405).end()
        else sendManifest(manifest.bytes)(turn)
      },
    ],
  ])('%s: the digest is that of its bytes', async (_, act) => {
    upstream.script({ path: MANIFESTS }, act)

    const head = await source.headManifest(reference('1.0'), SIGNAL)

    expect(head).toMatchObject({ digest: manifest.digest, mediaType: OCI_MANIFEST })
  })

  it.each(['1.0', manifest.digest])(
    'as a web page: that is said, and it may be better next time (%s)',
    async (name) => {
      const page = Buffer.from('<html>Welcome</html>')
      upstream.script({ path: MANIFESTS }, sendManifest(page, { 'content-type': 'Text/HTML' }))

      for (const failure of [
        await failureOf(source.getManifest(reference(name), SIGNAL)),
        await failureOf(source.headManifest(reference(name), SIGNAL)),
      ]) {
        expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
        expect(String(failure)).toMatch(/the answer is a web page/)
      }
    },
  )

  it('packed, though nobody wanted it: its bytes are those before', async () => {
    const headers = { 'content-encoding': 'gzip', 'docker-content-digest': manifest.digest }
    upstream.script({ path: MANIFESTS }, sendManifest(gzipSync(manifest.bytes), headers))

    expect(await source.getManifest(reference('1.0'), SIGNAL)).toMatchObject({
      digest: manifest.digest,
      bytes: manifest.bytes,
    })
    expect(await source.headManifest(reference('1.0'), SIGNAL)).not.toHaveProperty('size')
  })

  it('packed to next to nothing: it is refused for good', async () => {
    const packed = gzipSync(Buffer.alloc(5 * 1024 * 1024, ' '))
    upstream.script({ path: MANIFESTS }, sendManifest(packed, { 'content-encoding': 'gzip' }))

    const failure = await failureOf(source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/larger than 4 MiB/)
  })

  it('with the word that it is packed, which it is not: its bytes are as they came', async () => {
    const headers = { 'content-encoding': 'gzip' }
    upstream.script({ path: MANIFESTS }, sendManifest(manifest.bytes, headers))

    expect(await source.getManifest(manifest.digest, SIGNAL)).toMatchObject({
      bytes: manifest.bytes,
    })
  })

  it('with a length of 0 in the answer to HEAD: nobody is told that', async () => {
    const headers = { 'content-length': '0', 'docker-content-digest': manifest.digest }
    upstream.script({ method: 'HEAD', path: MANIFESTS }, sendManifest(Buffer.alloc(0), headers))

    const head = await source.headManifest(reference('1.0'), SIGNAL)

    expect(head).toEqual({ digest: manifest.digest, mediaType: OCI_MANIFEST })
  })

  it('as gone: it is not there', async () => {
    upstream.script({ path: MANIFESTS }, ({ response }) => response.writeHead(410).end())

    expect(await source.getManifest(reference('1.0'), SIGNAL)).toBeUndefined()
    expect(await source.headManifest(reference('1.0'), SIGNAL)).toBeUndefined()
  })

  it('that breaks off: it may be better next time', async () => {
    upstream.script({ path: MANIFESTS }, ({ response }) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST, 'content-length': 1000 })
      response.write('{', () => response.destroy())
    })

    const failure = await failureOf(source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
  })
})

describe('a target that misbehaves', () => {
  const blob = randomBlob(3_000_000)
  const SEND = { method: 'PATCH', path: /blobs\/uploads/ }
  const COMMIT = { method: 'PUT', path: /blobs\/uploads/ }

  beforeEach(() => {
    upstream.addBlob('team/app', blob.bytes)
  })

  it.each([
    [413, 'permanent', /client_max_body_size/],
    [500, 'transient', /log of the local registry/],
    [507, 'parked', /make room/],
  ])(
    'with an early %i while the body is on its way: it is %s',
    async (status, disposition, said) => {
      local.script(SEND, ({ response }) => {
        refuse(response, status, 'UNKNOWN')
      })

      const failure = await failureOf(copy(blob))

      expect(failure).toMatchObject({ registry: 'local', status, disposition })
      expect(String(failure)).toMatch(said)
      expectNothingLocal(blob)
    },
  )

  it.each([
    ['PATCH', /blobs\/uploads/, [200, 201, 204]],
    ['PUT', /blobs\/uploads/, [202]],
    ['PUT', MANIFESTS, [204]],
  ])('by saying of a %s to %s in another way that it is done: it is', async (method, path, all) => {
    for (const status of all) {
      local.script({ method, path, times: 1 }, async ({ response, serve }) => {
        const writeHead = response.writeHead.bind(response)
        // Whatever the good registry says.
        const inItsWay = (_status: number, headers?: OutgoingHttpHeaders) =>
          writeHead(status, headers)
        Object.assign(response, { writeHead: inItsWay })
        await serve()
      })
      const fresh = randomBlob(2_000_000)
      upstream.addBlob('team/app', fresh.bytes)
      await copy(fresh)
      const manifest = manifestOf({ config: fresh.descriptor, layers: [] })
      await target.putManifest(reference('1.0'), manifest, SIGNAL)

      expect(local.hasBlob('team/app', fresh.descriptor.digest)).toBe(true)
      expect((await target.headManifest(reference('1.0'), SIGNAL))?.digest).toBe(manifest.digest)
    }
  })

  it('by taking no bytes any more: the stall is the target’s', async () => {
    // More than the buffers between two sockets hold.
    const large = blobOf(Buffer.alloc(32 * 1024 * 1024))
    upstream.addBlob('team/app', large.bytes)
    local.script(SEND, () => undefined)

    const failure = await failureOf(copy(large))

    expect(failure).toMatchObject({ registry: 'local', networkCode: 'STALLED' })
    expect(String(failure)).toMatch(/no byte was taken/)
    expectNothingLocal(large)
  })

  it('by taking its time with a large blob: it has the more of it the larger the blob is', async () => {
    const large = randomBlob(16 * 1024 * 1024)
    upstream.addBlob('team/app', large.bytes)
    local.script({ ...COMMIT, times: 1 }, async ({ request, response }) => {
      await bytesOf(request)
      await pause(STALL_MS * 2.5)
      response.writeHead(201).end()
    })

    await expect(copy(large)).resolves.toBeUndefined()
  })

  it('by never answering: it is given up', async () => {
    local.script(COMMIT, ({ request }) => {
      request.resume()
    })

    const failure = await failureOf(copy(blob))

    expect(failure).toMatchObject({ registry: 'local', networkCode: 'STALLED' })
    expect(String(failure)).toMatch(/no answer came/)
    expectNothingLocal(blob)
  })

  it('by cutting the connection: the failure is the target’s', async () => {
    local.script(SEND, ({ request }) => {
      request.once('data', () => request.destroy())
    })

    expect(await failureOf(copy(blob))).toMatchObject({ registry: 'local', status: undefined })
    expectNothingLocal(blob)
  })

  it('by saying that it is done before it can be: that is not believed', async () => {
    // More than the buffers between two sockets hold.
    const large = blobOf(Buffer.alloc(32 * 1024 * 1024))
    upstream.addBlob('team/app', large.bytes)
    local.script(SEND, ({ request, response }) => {
      response.writeHead(202, { location: request.url ?? '', range: '0-99' }).end()
    })

    expect(String(await failureOf(copy(large)))).toMatch(/has the blob before it was sent/)
  })

  it('by storing it under another digest: that is noticed', async () => {
    const { digest } = randomBlob(1).descriptor
    local.script(COMMIT, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201, { 'docker-content-digest': digest }).end()
    })

    expect(String(await failureOf(copy(blob)))).toContain(digest)
  })

  it.each([
    ['in its own words', 'BLOB_UPLOAD_UNKNOWN'],
    ['in words of another', 'NOT_FOUND'],
  ])('by forgetting the upload, told %s: it is begun again later', async (_, code) => {
    local.script(SEND, async ({ request, response }) => {
      await bytesOf(request)
      refuse(response, 404, code)
    })

    expect(await failureOf(copy(blob))).toMatchObject({ disposition: 'transient' })
  })

  it('by letting its token expire during the upload: it is begun again later', async () => {
    local.script(SEND, ({ response }) => {
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await failureOf(copy(blob))).toMatchObject({ disposition: 'transient', status: 401 })
  })

  it('by not saying where to upload: it is broken for good', async () => {
    local.script({ method: 'POST' }, ({ response }) => response.writeHead(202).end())

    expect(await failureOf(copy(blob))).toMatchObject({ disposition: 'permanent' })
  })

  it('by not answering the cancellation: the failure is told all the same', async () => {
    local.script({ method: 'DELETE' }, () => undefined)
    local.script(COMMIT, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    expect(await failureOf(copy(blob))).toMatchObject({ status: 500 })
  })

  it('by opening an upload instead of mounting: the upload is cancelled', async () => {
    const { digest } = blob.descriptor

    expect(await target.mountBlob(digest, repository('team/other'), SIGNAL)).toBe(false)
    expect(local.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE'])
    expect(local.openUploads()).toBe(0)
  })

  it.each([400, 401, 403, 404, 405, 501])('by answering a mount %i: it is sent', async (status) => {
    local.script({ method: 'POST' }, ({ response }) => {
      refuse(response, status, 'UNSUPPORTED')
    })

    const mounted = await target.mountBlob(blob.descriptor.digest, repository('team/x'), SIGNAL)

    expect(mounted).toBe(false)
  })

  it.each([403, 405])('by answering a blob’s HEAD %i: it counts as absent', async (status) => {
    local.script({ method: 'HEAD' }, ({ response }) => response.writeHead(status).end())

    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(false)
  })

  it('by failing a blob’s HEAD: that is no absence', async () => {
    local.script({ method: 'HEAD' }, ({ response }) => response.writeHead(500).end())

    const failure = await failureOf(target.hasBlob(blob.descriptor.digest, SIGNAL))

    expect(failure).toMatchObject({ status: 500, disposition: 'transient' })
  })

  it('by storing a manifest under another digest: that is noticed', async () => {
    const manifest = manifestOf({ layers: [] })
    const { digest } = randomBlob(1).descriptor
    local.script({ method: 'PUT' }, ({ response }) =>
      response.writeHead(201, { 'docker-content-digest': digest }).end(),
    )

    const failure = await failureOf(target.putManifest(reference('1.0'), manifest, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient' })
    expect(String(failure)).toContain(digest)
  })
})
