import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import type { RegistryEvent } from '../../../../src/events/registry-event.ts'
import { FORMATS } from '../../../../src/events/formats.ts'
import { parseReference, parseRepository } from '../../../../src/oci/reference.ts'
import { readFixtures } from '../../../fixtures/read-fixtures.ts'

const MISS = { repository: 'team/app', reference: '1.0', id: 'a', useragent: 'b', actor: 'c' }
const formats = Object.entries(FORMATS)
const texts = [...readFixtures().values()].map(({ body }) => body).concat(JSON.stringify(MISS))

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('..', 'A/b', 'a//b', 'sha256:zz', '__proto__', '', 'a'.repeat(300), 'a\u0000b'),
)
const anyValue = fc.oneof(anyText, fc.jsonValue(), fc.constantFrom(null, true, -1, [], {}))

/** A real body with one of its values, anywhere in it, replaced. */
const mutatedValues = fc
  .tuple(fc.constantFrom(...texts), fc.nat(), anyValue)
  .map(([text, at, value]) => Buffer.from(JSON.stringify(replaced(JSON.parse(text), at, value))))

/** A real body with some of its bytes replaced or missing. */
const mutatedBytes = fc
  .tuple(fc.constantFrom(...texts), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(16))
  .map(([text, at, bytes, removed]) => {
    const body = Buffer.from(text)
    const start = at % body.length
    return Buffer.concat([body.subarray(0, start), bytes, body.subarray(start + removed)])
  })

const anyBody = fc.oneof(
  mutatedValues,
  mutatedBytes,
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
)

describe('whatever body is sent', () => {
  it.each(formats)('%s never throws and tells of valid names only', (_, format) => {
    fc.assert(
      fc.property(anyBody, fc.dictionary(anyText, anyText), (body, headers) => {
        const delivery: Delivery = { headers, body, requestId: 'request-1' }
        expect(typeof format.prove(delivery, ['moon'])).toBe('boolean')
        const content = format.parse(delivery)
        if (content.ok) content.value.events.forEach(expectValid)
        else expect(content.reason.length).toBeLessThan(400)
      }),
      { numRuns: 2_000 },
    )
  })

  it('reads the unchanged ones, so that the changed ones come near', () => {
    const read = texts.flatMap((text) =>
      formats.filter(([, format]) => format.parse(deliveryWith(text)).ok),
    )

    expect(read).toHaveLength(texts.length)
  })
})

function expectValid(event: RegistryEvent): void {
  expect(parseRepository(event.repository).ok).toBe(true)
  expect(event.id).toMatch(/^[\x21-\x7e]{1,128}$/)
  if (event.action === 'miss') expect(parseReference(event.reference).ok).toBe(true)
  else
    [event.tag, event.digest].forEach((name) => {
      expect(name === undefined || parseReference(name).ok).toBe(true)
    })
}

function deliveryWith(text: string): Delivery {
  return { headers: {}, body: Buffer.from(text), requestId: 'request-1' }
}

function replaced(root: unknown, at: number, value: unknown): unknown {
  const places = placesIn(root)
  const place = places[at % places.length]
  if (place === undefined) return value
  place.owner[place.key] = value
  return root
}

interface Place {
  readonly owner: Record<string, unknown>
  readonly key: string
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  const owner = value as Record<string, unknown>
  return Object.keys(owner).flatMap((key) => [{ owner, key }, ...placesIn(owner[key])])
}
