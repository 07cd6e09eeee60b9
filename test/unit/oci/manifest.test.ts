import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { parseManifest } from '../../../src/oci/manifest.ts'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  OCI_ARTIFACT_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'

const CONFIG = named('config')
const LAYER = named('layer')

function named(content: string, more: object = {}) {
  const digest = digestOf(Buffer.from(content))
  return { mediaType: 'application/x', digest, size: content.length, ...more }
}

function parse(json: unknown, contentType = '') {
  return parseManifest(
    Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)),
    contentType,
  )
}

function typeOf(json: object, contentType = ''): string | undefined {
  const manifest = parse({ schemaVersion: 2, ...json }, contentType)
  return manifest.ok ? manifest.value.mediaType : undefined
}

function reasonOf(json: unknown, contentType = ''): string {
  const manifest = parse(json, contentType)
  return manifest.ok ? '' : manifest.reason
}

describe('the media type of a manifest', () => {
  const image = { config: CONFIG, layers: [LAYER] }
  const index = { manifests: [] }

  it.each([
    ['its own word', { mediaType: OCI_MANIFEST, ...image }, '', OCI_MANIFEST],
    [
      'its own word against the header',
      { mediaType: DOCKER_MANIFEST, ...image },
      OCI_MANIFEST,
      DOCKER_MANIFEST,
    ],
    [
      'its own word against a header of an index',
      { mediaType: OCI_MANIFEST, ...image },
      OCI_INDEX,
      OCI_MANIFEST,
    ],
    ['the header', image, DOCKER_MANIFEST, DOCKER_MANIFEST],
    ['the header with parameters', index, `${DOCKER_LIST}; charset=utf-8`, DOCKER_LIST],
    ['the header in capitals', index, OCI_INDEX.toUpperCase(), OCI_INDEX],
    ['what it looks like without a header', image, '', OCI_MANIFEST],
    ['what it looks like under text/plain', index, 'text/plain', OCI_INDEX],
    ['the header against a type that is no text', { mediaType: 7, ...index }, OCI_INDEX, OCI_INDEX],
  ])('is %s', (_, json, contentType, expected) => {
    expect(typeOf(json, contentType)).toBe(expected)
  })

  it('is unknown where nothing tells it', () => {
    expect(reasonOf({ schemaVersion: 2 })).toMatch(/says of what media type/)
    expect(reasonOf({ schemaVersion: 2, mediaType: 'text/x' }, OCI_MANIFEST)).toMatch(/"text\/x"/)
    expect(reasonOf({ manifests: [] })).toMatch(/says of what media type/)
  })

  it.each([DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED])('%s is refused, and why is said', (type) => {
    expect(reasonOf({ schemaVersion: 1 }, type)).toMatch(/schema 1.*re-push the image/)
  })

  it('schema 1 is recognised under any header', () => {
    expect(reasonOf({ schemaVersion: 1, fsLayers: [] }, 'application/json')).toMatch(/schema 1/)
  })

  it.each([
    ['an index with layers', { mediaType: OCI_INDEX, manifests: [], layers: [] }],
    ['an index with a config', { mediaType: DOCKER_LIST, manifests: [], config: CONFIG }],
    ['an image with manifests', { mediaType: OCI_MANIFEST, ...image, manifests: [] }],
    ['both, with neither said', { ...image, manifests: [] }],
  ])('%s is two things at once, and refused', (_, json) => {
    expect(reasonOf({ schemaVersion: 2, ...json })).toMatch(/makes it something else to other/)
  })
})

describe('what a manifest names', () => {
  it('is its config and layers, however often each', () => {
    const manifest = parse({ schemaVersion: 2, config: CONFIG, layers: [LAYER, LAYER] })

    expect(manifest).toMatchObject({
      ok: true,
      value: { blobs: [CONFIG, LAYER, LAYER], children: [] },
    })
  })

  it('is the blobs of an artifact manifest', () => {
    const manifest = parse({
      mediaType: OCI_ARTIFACT_MANIFEST,
      artifactType: 'x/y',
      blobs: [LAYER],
    })

    expect(manifest).toMatchObject({ ok: true, value: { blobs: [LAYER] } })
  })

  it('is nothing where Go wrote null', () => {
    const json = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: null,
      layers: null,
      subject: null,
    }

    expect(parse(json)).toMatchObject({ ok: true, value: { blobs: [], children: [] } })
    expect(parse({ mediaType: OCI_INDEX, manifests: null })).toMatchObject({ ok: true })
  })

  it('is the children of an index, also those that do not say what they are', () => {
    const { digest, size } = LAYER
    const manifest = parse({ mediaType: OCI_INDEX, manifests: [{ digest, size }] })

    expect(manifest).toMatchObject({
      ok: true,
      value: { children: [{ digest, size, mediaType: '' }], blobs: [] },
    })
  })

  it('is a subject', () => {
    const json = { mediaType: OCI_MANIFEST, config: CONFIG, layers: [], subject: LAYER }

    expect(parse(json)).toMatchObject({ ok: true, value: { subject: LAYER } })
  })

  it.each([
    ['a list that is none', { layers: {} }, /"layers" is not a list/],
    ['no digest', { layers: [{ size: 1 }] }, /digest is wrong/],
    ['a path for a digest', { layers: [{ digest: '../../x', size: 1 }] }, /digest is wrong/],
    ['a size below 0', { layers: [named('x', { size: -1 })] }, /no valid size/],
    ['half a byte', { layers: [named('x', { size: 0.5 })] }, /no valid size/],
    ['a layer that is a number', { layers: [7] }, /not an object/],
    ['a config that is a list', { config: [] }, /not an object/],
  ])('with %s is refused', (_, json, reason) => {
    expect(reasonOf({ schemaVersion: 2, mediaType: OCI_MANIFEST, ...json })).toMatch(reason)
  })

  it('is kept with the bytes it came in, whatever serialisers make of them', () => {
    const text = `\n\t{"schemaVersion":2, "mediaType":"${OCI_MANIFEST}","x":1,"x":1.0,"é":"\\u00e9\u2028","config":${JSON.stringify(CONFIG)},"layers":[ ]}\n\n`
    const manifest = parse(text)

    expect(manifest).toMatchObject({ ok: true, value: { bytes: Buffer.from(text) } })
  })
})

describe('content that a descriptor carries itself', () => {
  const bytes = Buffer.from('{}')

  function dataIn(layer: object): Buffer | undefined {
    const manifest = parse({ mediaType: OCI_MANIFEST, layers: [layer] })
    return manifest.ok ? manifest.value.blobs[0]?.data : undefined
  }

  it('is taken when it is what digest and size say', () => {
    expect(dataIn(named('{}', { data: bytes.toString('base64') }))).toEqual(bytes)
    const digest = digestOf(bytes, 'sha512')
    expect(dataIn({ digest, size: 2, data: 'e30=' })).toEqual(bytes)
    expect(dataIn(named('', { data: '' }))).toEqual(Buffer.alloc(0))
  })

  it.each([
    ['other bytes', named('{}', { data: 'e1s=' })],
    ['bytes of another size', named('{}', { data: 'e30K' })],
    ['no base64', named('{}', { data: '{}' })],
    ['a number', named('{}', { data: 7 })],
    ['a megabyte for two bytes', named('{}', { data: 'e30='.repeat(250_000) })],
  ])('counts for nothing when it is %s', (_, layer) => {
    expect(dataIn(layer)).toBeUndefined()
  })
})
