import type { OutgoingHttpHeaders } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse } from '../../support/registry/scripted-registry.ts'
import {
  blobOf,
  bytesOf,
  failureOf,
  manifestOf,
  randomBlob,
  reference,
  repository,
  SIGNAL,
} from '../contract-content.ts'
import { bothSides, type BothSides, MANIFESTS, STALL_MS } from './both-sides.ts'

let sides: BothSides

beforeEach(async () => {
  sides = await bothSides()
})

afterEach(() => sides[Symbol.asyncDispose]())

describe('a target that misbehaves', () => {
  const blob = randomBlob(3_000_000)
  const SEND = { method: 'PATCH', path: /blobs\/uploads/ }
  const COMMIT = { method: 'PUT', path: /blobs\/uploads/ }

  beforeEach(() => {
    sides.upstream.addBlob('team/app', blob.bytes)
  })

  it.each([
    [413, 'permanent', /client_max_body_size/],
    [500, 'transient', /log of the local registry/],
    [507, 'parked', /make room/],
  ])(
    'with an early %i while the body is on its way: it is %s',
    async (status, disposition, said) => {
      sides.local.script(SEND, ({ response }) => {
        refuse(response, status, 'UNKNOWN')
      })

      const failure = await failureOf(sides.copy(blob))

      expect(failure).toMatchObject({ registry: 'local', status, disposition })
      expect(String(failure)).toMatch(said)
      sides.expectNothingLocal(blob)
    },
  )

  it.each([
    ['PATCH', /blobs\/uploads/, [200, 201, 204]],
    ['PUT', /blobs\/uploads/, [202]],
    ['PUT', MANIFESTS, [204]],
  ])('by saying of a %s to %s in another way that it is done: it is', async (method, path, all) => {
    for (const status of all) {
      sides.local.script({ method, path, times: 1 }, async ({ response, serve }) => {
        const writeHead = response.writeHead.bind(response)
        // Whatever the good registry says.
        const inItsWay = (_status: number, headers?: OutgoingHttpHeaders) =>
          writeHead(status, headers)
        Object.assign(response, { writeHead: inItsWay })
        await serve()
      })
      const fresh = randomBlob(2_000_000)
      sides.upstream.addBlob('team/app', fresh.bytes)
      await sides.copy(fresh)
      const manifest = manifestOf({ config: fresh.descriptor, layers: [] })
      await sides.target.putManifest(reference('1.0'), manifest, SIGNAL)

      expect(sides.local.hasBlob('team/app', fresh.descriptor.digest)).toBe(true)
      expect((await sides.target.headManifest(reference('1.0'), SIGNAL))?.digest).toBe(
        manifest.digest,
      )
    }
  })

  it('by taking no bytes any more: the stall is the target’s', async () => {
    // More than the buffers between two sockets hold.
    const large = blobOf(Buffer.alloc(32 * 1024 * 1024))
    sides.upstream.addBlob('team/app', large.bytes)
    sides.local.script(SEND, () => undefined)

    const failure = await failureOf(sides.copy(large))

    expect(failure).toMatchObject({ registry: 'local', networkCode: 'STALLED' })
    expect(String(failure)).toMatch(/no byte was taken/)
    sides.expectNothingLocal(large)
  })

  it('by taking its time with a large blob: it has the more of it the larger the blob is', async () => {
    const large = randomBlob(16 * 1024 * 1024)
    sides.upstream.addBlob('team/app', large.bytes)
    sides.local.script({ ...COMMIT, times: 1 }, async ({ request, response }) => {
      await bytesOf(request)
      await pause(STALL_MS * 2.5)
      response.writeHead(201).end()
    })

    await expect(sides.copy(large)).resolves.toBeUndefined()
  })

  it('by never answering: it is given up', async () => {
    sides.local.script(COMMIT, ({ request }) => {
      request.resume()
    })

    const failure = await failureOf(sides.copy(blob))

    expect(failure).toMatchObject({ registry: 'local', networkCode: 'STALLED' })
    expect(String(failure)).toMatch(/no answer came/)
    sides.expectNothingLocal(blob)
  })

  it('by cutting the connection: the failure is the target’s', async () => {
    sides.local.script(SEND, ({ request }) => {
      request.once('data', () => request.destroy())
    })

    expect(await failureOf(sides.copy(blob))).toMatchObject({
      registry: 'local',
      status: undefined,
    })
    sides.expectNothingLocal(blob)
  })

  it('by saying that it is done before it can be: that is not believed', async () => {
    // More than the buffers between two sockets hold.
    const large = blobOf(Buffer.alloc(32 * 1024 * 1024))
    sides.upstream.addBlob('team/app', large.bytes)
    sides.local.script(SEND, ({ request, response }) => {
      response.writeHead(202, { location: request.url ?? '', range: '0-99' }).end()
    })

    expect(String(await failureOf(sides.copy(large)))).toMatch(/has the blob before it was sent/)
  })

  it('by storing it under another digest: that is noticed', async () => {
    const { digest } = randomBlob(1).descriptor
    sides.local.script(COMMIT, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201, { 'docker-content-digest': digest }).end()
    })

    expect(String(await failureOf(sides.copy(blob)))).toContain(digest)
  })

  it.each([
    ['in its own words', 'BLOB_UPLOAD_UNKNOWN'],
    ['in words of another', 'NOT_FOUND'],
  ])('by forgetting the upload, told %s: it is begun again later', async (_, code) => {
    sides.local.script(SEND, async ({ request, response }) => {
      await bytesOf(request)
      refuse(response, 404, code)
    })

    expect(await failureOf(sides.copy(blob))).toMatchObject({ disposition: 'transient' })
  })

  it('by letting its token expire during the upload: it is begun again later', async () => {
    sides.local.script(SEND, ({ response }) => {
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await failureOf(sides.copy(blob))).toMatchObject({
      disposition: 'transient',
      status: 401,
    })
  })

  it('by not saying where to upload: it is broken for good', async () => {
    sides.local.script({ method: 'POST' }, ({ response }) => response.writeHead(202).end())

    expect(await failureOf(sides.copy(blob))).toMatchObject({ disposition: 'permanent' })
  })

  it('by not answering the cancellation: the failure is told all the same', async () => {
    sides.local.script({ method: 'DELETE' }, () => undefined)
    sides.local.script(COMMIT, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    expect(await failureOf(sides.copy(blob))).toMatchObject({ status: 500 })
  })

  it('by opening an upload instead of mounting: the upload is cancelled', async () => {
    const { digest } = blob.descriptor

    expect(await sides.target.mountBlob(digest, repository('team/other'), SIGNAL)).toBe(false)
    expect(sides.local.requests.map(({ method }) => method)).toEqual(['POST', 'DELETE'])
    expect(sides.local.openUploads()).toBe(0)
  })

  it.each([400, 401, 403, 404, 405, 501])('by answering a mount %i: it is sent', async (status) => {
    sides.local.script({ method: 'POST' }, ({ response }) => {
      refuse(response, status, 'UNSUPPORTED')
    })

    const mounted = await sides.target.mountBlob(
      blob.descriptor.digest,
      repository('team/x'),
      SIGNAL,
    )

    expect(mounted).toBe(false)
  })

  it.each([403, 405])('by answering a blob’s HEAD %i: it counts as absent', async (status) => {
    sides.local.script({ method: 'HEAD' }, ({ response }) => response.writeHead(status).end())

    expect(await sides.target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(false)
  })

  it('by failing a blob’s HEAD: that is no absence', async () => {
    sides.local.script({ method: 'HEAD' }, ({ response }) => response.writeHead(500).end())

    const failure = await failureOf(sides.target.hasBlob(blob.descriptor.digest, SIGNAL))

    expect(failure).toMatchObject({ status: 500, disposition: 'transient' })
  })

  it('by storing a manifest under another digest: that is noticed', async () => {
    const manifest = manifestOf({ layers: [] })
    const { digest } = randomBlob(1).descriptor
    sides.local.script({ method: 'PUT' }, ({ response }) =>
      response.writeHead(201, { 'docker-content-digest': digest }).end(),
    )

    const failure = await failureOf(sides.target.putManifest(reference('1.0'), manifest, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient' })
    expect(String(failure)).toContain(digest)
  })
})
