import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, parseDigest } from '../../../src/oci/digest.ts'
import { parseManifest } from '../../../src/oci/manifest.ts'
import {
  DOCKER_LIST,
  OCI_ARTIFACT_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../src/oci/media-types.ts'
import { parseDescriptor } from '../../../src/oci/parse-descriptor.ts'
import { chooseChildren } from '../../../src/oci/platforms.ts'
import {
  formatImageName,
  parseImageName,
  parseReference,
  parseRepository,
  parseTag,
} from '../../../src/oci/reference.ts'

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 10_000, unit: 'grapheme' }),
)
const hex = (length: number) =>
  fc.string({
    unit: fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16)),
    minLength: length,
    maxLength: length,
  })
const digest = fc.oneof(
  hex(64).map((digits) => `sha256:${digits}`),
  hex(128).map((digits) => `sha512:${digits}`),
)
const mediaType = fc.constantFrom(OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, OCI_ARTIFACT_MANIFEST)
/** Nearly right: each part may be anything, so that every check is reached. */
const descriptor = fc.record(
  {
    mediaType: fc.oneof(mediaType, fc.jsonValue()),
    digest: fc.oneof(digest, text),
    size: fc.oneof(fc.nat(), fc.double(), fc.jsonValue()),
    platform: fc.oneof(fc.record({ os: text, architecture: text, variant: text }), fc.jsonValue()),
    data: fc.oneof(fc.base64String(), fc.jsonValue()),
    urls: fc.oneof(fc.array(fc.webUrl()), fc.jsonValue()),
    annotations: fc.oneof(fc.dictionary(text, text), fc.jsonValue()),
  },
  { requiredKeys: [] },
)
const manifest = fc.record(
  {
    schemaVersion: fc.constantFrom(1, 2, 2, 2, '2'),
    mediaType: fc.oneof(mediaType, fc.jsonValue()),
    config: fc.oneof(descriptor, fc.jsonValue()),
    layers: fc.oneof(fc.array(descriptor), fc.jsonValue()),
    blobs: fc.oneof(fc.array(descriptor), fc.jsonValue()),
    manifests: fc.oneof(fc.array(descriptor), fc.jsonValue()),
    subject: fc.oneof(descriptor, fc.jsonValue()),
  },
  { requiredKeys: [] },
)

/** A foreign string stands in messages and log lines: it must not break them. */
function expectOneLine(reason: string): void {
  expect(reason).not.toMatch(/[\n\r]/)
  expect(reason.length).toBeLessThan(700)
}

describe('any input', () => {
  it('is a digest or not, told in one short line', () => {
    fc.assert(
      fc.property(fc.oneof(text, digest), (input) => {
        const result = parseDigest(input)
        if (result.ok) expect(input).toMatch(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/)
        else expectOneLine(result.reason)
      }),
    )
  })

  it('is a name that can stand in a URL as it is, or is refused', () => {
    fc.assert(
      fc.property(text, (input) => {
        for (const parse of [parseRepository, parseTag, parseReference]) {
          const result = parse(input)
          if (!result.ok) expectOneLine(result.reason)
          else expect(new URL(`http://h/v2/${result.value}/x`).pathname).toBe(`/v2/${input}/x`)
        }
      }),
    )
  })

  it('is an image name that reads back as it was written, or is refused', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,5}(\/[a-z0-9._-]{1,8}){0,3}([:@][\w.:-]{0,140})?$/)
    fc.assert(
      fc.property(fc.oneof(text, name), (input) => {
        const result = parseImageName(input)
        if (!result.ok) {
          expectOneLine(result.reason)
          return
        }
        const written = formatImageName(result.value.repository, result.value.reference)
        expect(parseImageName(written)).toEqual(result)
      }),
    )
  })

  it.each([
    ['a repository', parseRepository, `${'a-'.repeat(100_000)}!`],
    ['a repository of parts', parseRepository, `${'a/'.repeat(100_000)}!`],
    ['a tag', parseTag, `${'a.'.repeat(100_000)}!`],
    ['an image name', parseImageName, `${'a_'.repeat(100_000)}:!`],
    ['a short name that backtracks', parseRepository, `${'a--'.repeat(80)}!`],
  ])('that is long and nearly %s is refused without delay', (_, parse, input) => {
    expect(parse(input).ok).toBe(false)
  })

  it('is a descriptor whose parts are what they say, or is refused', () => {
    fc.assert(
      fc.property(fc.oneof(descriptor, fc.jsonValue()), (input) => {
        const result = parseDescriptor(input)
        if (!result.ok) {
          expectOneLine(result.reason)
          return
        }
        const { value } = result
        expect(parseDigest(value.digest).ok && Number.isSafeInteger(value.size)).toBe(true)
        if (value.data !== undefined) expect(value.data).toHaveLength(value.size)
      }),
    )
  })

  it('is a manifest with these very bytes, or is refused', () => {
    const bytes = fc.oneof(
      fc.uint8Array().map((array) => Buffer.from(array)),
      fc.oneof(manifest, fc.jsonValue()).map((json) => Buffer.from(JSON.stringify(json))),
    )
    fc.assert(
      fc.property(bytes, fc.oneof(text, mediaType), (input, contentType) => {
        const result = parseManifest(input, contentType)
        if (!result.ok) {
          expectOneLine(result.reason)
          return
        }
        expect(result.value.bytes).toBe(input)
        expect(result.value.digest).toBe(digestOf(input))
        expect(result.value.children.length === 0 || result.value.blobs.length === 0).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('of 4 MiB that opens a million brackets is refused, not a crash', () => {
    expect(parseManifest(Buffer.alloc(4 * 1024 * 1024, '['), OCI_MANIFEST).ok).toBe(false)
    expect(parseManifest(Buffer.alloc(4 * 1024 * 1024, '{"a":'), OCI_MANIFEST).ok).toBe(false)
  })

  it('of platforms parts the children of an index in two', () => {
    fc.assert(
      fc.property(fc.array(descriptor), fc.array(text), (list, platforms) => {
        const children = list.map(parseDescriptor).flatMap((each) => (each.ok ? [each.value] : []))
        const { wanted, leftOut } = chooseChildren(children, platforms)
        expect(wanted.length + leftOut.length).toBe(children.length)
      }),
    )
  })
})
