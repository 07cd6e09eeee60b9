import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import type { Format } from '../../../../src/events/format.ts'
import type { RegistryEvent } from '../../../../src/events/registry-event.ts'
import { FORMATS } from '../../../../src/events/formats.ts'
import { parseReference, parseRepository } from '../../../../src/oci/reference.ts'
import { deliveryOf, readFixtures } from '../../../fixtures/read-fixtures.ts'

// 15 formats, 7,000 cases each: more than 100,000 in all.
const RUNS = 7_000
const formats = Object.entries<Format>(FORMATS)

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('..', 'A/b', 'a//b', 'sha256:zz', '__proto__', '', 'a'.repeat(300), 'a\u0000b'),
)
const anyValue = fc.oneof(anyText, fc.jsonValue(), fc.constantFrom(null, true, -1, [], {}))

/** A real body with one of its values, anywhere in it, replaced. */
function mutatedValues(texts: readonly string[]) {
  return fc
    .tuple(fc.constantFrom(...texts.filter(isJson)), fc.nat(), anyValue)
    .map(([text, at, value]) => JSON.stringify(replaced(JSON.parse(text), at, value)))
}

/** A real body with some of its bytes replaced or missing. */
function mutatedBytes(texts: readonly string[]) {
  return fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(16))
    .map(([text, at, bytes, removed]) => {
      const body = Buffer.from(text)
      const start = at % body.length
      return Buffer.concat([body.subarray(0, start), bytes, body.subarray(start + removed)])
    })
}

/** Near to what the format's sender sends, and far from it. */
function anyDelivery(format: string): fc.Arbitrary<Delivery> {
  const fixtures = [...readFixtures(format).values()]
  const texts = fixtures.map(({ body }) => body)
  const body = fc.oneof(
    mutatedValues(texts),
    mutatedBytes(texts),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json(),
  )
  const names = [...new Set(fixtures.flatMap(({ headers }) => Object.keys(headers)))]
  const changes = fc.dictionary(
    fc.oneof(fc.constantFrom(...names, ...PROOF_HEADERS), anyText),
    anyText,
  )
  return fc
    .tuple(body, fc.constantFrom(...fixtures), changes, fc.option(anyText, { nil: undefined }))
    .map(([content, { headers }, changed, pathSecret]) => ({
      headers: { ...headers, ...changed },
      body: Buffer.from(content),
      requestId: 'request-1',
      ...(pathSecret !== undefined && { pathSecret }),
    }))
}

const PROOF_HEADERS = [
  ...['authorization', 'x-api-key', 'x-hub-signature-256', 'x-gitea-signature'],
  ...['x-jfrog-event-auth', 'x-nexus-webhook-signature'],
]

describe('whatever is sent', () => {
  it.each(formats)('%s never throws and tells of valid names only', (name, format) => {
    fc.assert(
      fc.property(anyDelivery(name), (delivery) => {
        if ('prove' in format) expect(format.prove(delivery, ['moon'])).toBe(false)
        const content = format.parse(delivery)
        if (content.ok) content.value.events.forEach(expectValid)
        else expect(content.reason.length).toBeLessThan(400)
      }),
      { numRuns: RUNS },
    )
  })

  it('is unchanged read by its own format, so that the changed comes near', () => {
    for (const [name, format] of formats) {
      for (const fixture of readFixtures(name).values()) {
        expect(format.parse(deliveryOf(fixture)).ok).toBe(true)
      }
    }
  })
})

describe.each(formats)('hostile JSON, sent to %s', (name, format) => {
  // Different enough, and not all: each costs seconds.
  const fixtures = [...readFixtures(name).values()].slice(-3)

  it.each([
    ['100,000 lists in each other', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['100,000 objects in each other', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)],
    ['half of that', '['.repeat(1_000_000)],
    ['a list of 100,000', JSON.stringify(Array(100_000).fill({}))],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])],
    ['prototypes', '{"__proto__":{"type":"x"},"constructor":{"prototype":{"polluted":1}}}'],
    ['nothing', ''],
  ])('%s gives no event', (_, body) => {
    for (const { headers } of fixtures) {
      const content = format.parse({ headers, body: Buffer.from(body), requestId: 'request-1' })
      expect(content.ok ? content.value.events : []).toEqual([])
    }
    expect({}).not.toHaveProperty('polluted')
  })

  it('in the place of any value neither throws nor hangs', () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000)
    const wide = `[${'{},'.repeat(5_000)}{}]`
    const bodies = fixtures
      .filter(({ body }) => isJson(body))
      .flatMap(({ headers, body }) =>
        placesIn(JSON.parse(body)).flatMap((_, at) =>
          [deep, wide].map((value) => {
            const text = JSON.stringify(replaced(JSON.parse(body), at, '@here'))
            return { headers, body: text.replace('"@here"', value) }
          }),
        ),
      )
    for (const changed of bodies) {
      const content = format.parse(deliveryOf(changed))
      if (content.ok) content.value.events.forEach(expectValid)
    }
  })

  it('with each key twice is read like the last of them', () => {
    for (const fixture of fixtures.filter(({ body }) => body.startsWith('{'))) {
      const twice = `{${fixture.body.trim().slice(1, -1)},${fixture.body.trim().slice(1)}`
      const told = (body: string) => {
        const content = format.parse(deliveryOf({ ...fixture, body }))
        return content.ok ? content.value.events.map((event) => ({ ...event, id: '' })) : []
      }
      expect(told(twice)).toEqual(told(fixture.body))
    }
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

function isJson(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[')
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
