import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DOCKER_SCHEMA1_SIGNED, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { UnsupportedManifestError } from '../../../src/registry/errors/registry-error.ts'
import type { Turn } from '../../support/registry/scripted-registry.ts'
import { failureOf, manifestOf, randomBlob, reference, SIGNAL } from '../contract-content.ts'
import { bothSides, type BothSides, MANIFESTS } from './both-sides.ts'

let sides: BothSides

beforeEach(async () => {
  sides = await bothSides()
})

afterEach(() => sides[Symbol.asyncDispose]())

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
    sides.upstream.script({ path: MANIFESTS }, sendManifest(bytes, headers))

    const failure = await failureOf(sides.source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/larger than 4 MiB/)
  })

  it('of Docker schema 1: it is unsupported, whatever its digest', async () => {
    sides.upstream.script(
      { path: MANIFESTS },
      sendManifest(Buffer.from('{"schemaVersion":1}'), {
        'content-type': DOCKER_SCHEMA1_SIGNED,
        'docker-content-digest': manifest.digest,
      }),
    )

    const failure = await failureOf(sides.source.getManifest(manifest.digest, SIGNAL))

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
    sides.upstream.script({ path: MANIFESTS }, act)

    const head = await sides.source.headManifest(reference('1.0'), SIGNAL)

    expect(head).toMatchObject({ digest: manifest.digest, mediaType: OCI_MANIFEST })
  })

  it.each(['1.0', manifest.digest])(
    'as a web page: that is said, and it may be better next time (%s)',
    async (name) => {
      const page = Buffer.from('<html>Welcome</html>')
      sides.upstream.script(
        { path: MANIFESTS },
        sendManifest(page, { 'content-type': 'Text/HTML' }),
      )

      for (const failure of [
        await failureOf(sides.source.getManifest(reference(name), SIGNAL)),
        await failureOf(sides.source.headManifest(reference(name), SIGNAL)),
      ]) {
        expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
        expect(String(failure)).toMatch(/the answer is a web page/)
      }
    },
  )

  it('packed, though nobody wanted it: its bytes are those before', async () => {
    const headers = { 'content-encoding': 'gzip', 'docker-content-digest': manifest.digest }
    sides.upstream.script({ path: MANIFESTS }, sendManifest(gzipSync(manifest.bytes), headers))

    expect(await sides.source.getManifest(reference('1.0'), SIGNAL)).toMatchObject({
      digest: manifest.digest,
      bytes: manifest.bytes,
    })
    expect(await sides.source.headManifest(reference('1.0'), SIGNAL)).not.toHaveProperty('size')
  })

  it('packed to next to nothing: it is refused for good', async () => {
    const packed = gzipSync(Buffer.alloc(5 * 1024 * 1024, ' '))
    sides.upstream.script({ path: MANIFESTS }, sendManifest(packed, { 'content-encoding': 'gzip' }))

    const failure = await failureOf(sides.source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/larger than 4 MiB/)
  })

  it('with the word that it is packed, which it is not: its bytes are as they came', async () => {
    const headers = { 'content-encoding': 'gzip' }
    sides.upstream.script({ path: MANIFESTS }, sendManifest(manifest.bytes, headers))

    expect(await sides.source.getManifest(manifest.digest, SIGNAL)).toMatchObject({
      bytes: manifest.bytes,
    })
  })

  it('with a length of 0 in the answer to HEAD: nobody is told that', async () => {
    const headers = { 'content-length': '0', 'docker-content-digest': manifest.digest }
    sides.upstream.script(
      { method: 'HEAD', path: MANIFESTS },
      sendManifest(Buffer.alloc(0), headers),
    )

    const head = await sides.source.headManifest(reference('1.0'), SIGNAL)

    expect(head).toEqual({ digest: manifest.digest, mediaType: OCI_MANIFEST })
  })

  it('as gone: it is not there', async () => {
    sides.upstream.script({ path: MANIFESTS }, ({ response }) => response.writeHead(410).end())

    expect(await sides.source.getManifest(reference('1.0'), SIGNAL)).toBeUndefined()
    expect(await sides.source.headManifest(reference('1.0'), SIGNAL)).toBeUndefined()
  })

  it('that breaks off: it may be better next time', async () => {
    sides.upstream.script({ path: MANIFESTS }, ({ response }) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST, 'content-length': 1000 })
      response.write('{', () => response.destroy())
    })

    const failure = await failureOf(sides.source.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
  })
})
