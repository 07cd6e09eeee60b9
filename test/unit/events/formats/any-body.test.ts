import fc from 'fast-check'
import { createLocalJWKSet, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import type { Format } from '../../../../src/events/format.ts'
import type { RegistryEvent } from '../../../../src/events/registry-event.ts'
import { FORMATS } from '../../../../src/events/formats.ts'
import { parseDigest } from '../../../../src/oci/digest.ts'
import { parseReference, parseRepository, parseTag } from '../../../../src/oci/reference.ts'
import { decide } from '../../../../src/policy/decide.ts'
import type { Project } from '../../../../src/policy/project.ts'
import type { CapturedDelivery } from '../../../fixtures/capture-distribution.ts'
import { deliveryOf, readFixtures } from '../../../fixtures/read-fixtures.ts'
import { isProven } from '../../../fixtures/senders.ts'

const formats = Object.entries<Format>(FORMATS)
const CASES_IN_ALL = 120_000
const RUNS = Math.ceil(CASES_IN_ALL / formats.length)
const TOKENS = 2_000

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('..', 'A/b', 'a//b', 'sha256:zz', '__proto__', '', 'a'.repeat(300), 'a\u0000b'),
)
const anyValue = fc.oneof(anyText, fc.jsonValue(), fc.constantFrom(null, true, -1, [], {}))

type Sent = Pick<CapturedDelivery, 'headers' | 'body'>

/** A real body with one of its values, anywhere in it, replaced. */
function mutatedValues(fixtures: readonly Sent[]) {
  return fc
    .tuple(fc.constantFrom(...fixtures.filter(({ body }) => isJson(body))), fc.nat(), anyValue)
    .map(([{ headers, body }, at, value]) => ({
      headers,
      body: JSON.stringify(replaced(JSON.parse(body), at, value)),
    }))
}

/** A real body with some of its bytes replaced or missing. */
function mutatedBytes(fixtures: readonly Sent[]) {
  return fc
    .tuple(fc.constantFrom(...fixtures), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(16))
    .map(([{ headers, body: text }, at, bytes, removed]) => {
      const body = Buffer.from(text)
      const start = at % body.length
      const parts = [body.subarray(0, start), bytes, body.subarray(start + removed)]
      return { headers, body: Buffer.concat(parts) }
    })
}

/** Any body, or that of another delivery, under the headers of a real one. */
function mixed(fixtures: readonly Sent[]) {
  const body = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json(),
    fc.constantFrom(...fixtures.map((fixture) => fixture.body)),
  )
  return fc
    .tuple(body, fc.constantFrom(...fixtures))
    .map(([content, { headers }]) => ({ headers, body: content }))
}

/** Near to what the format's sender sends, and far from it. */
function anyDelivery(format: string): fc.Arbitrary<Delivery> {
  const fixtures = [...readFixtures(format).values()]
  const names = [...new Set(fixtures.flatMap(({ headers }) => Object.keys(headers)))]
  const changes = fc.oneof(
    fc.constant({}),
    fc.dictionary(fc.oneof(fc.constantFrom(...names, ...PROOF_HEADERS), anyText), anyText),
  )
  const sent = fc.oneof(mutatedValues(fixtures), mutatedBytes(fixtures), mixed(fixtures))
  return fc
    .tuple(sent, changes, fc.option(anyText, { nil: undefined }))
    .map(([{ headers, body }, changed, pathSecret]) => ({
      headers: { ...headers, ...changed },
      body: Buffer.from(body),
      requestId: 'request-1',
      ...(pathSecret !== undefined && { pathSecret }),
    }))
}

/** Whatever can stand in the header, near to a token of Google's and far from it. */
function anyToken(): fc.Arbitrary<string> {
  const header = fc.record(
    {
      alg: fc.oneof(fc.constantFrom('RS256', 'HS256', 'none'), anyValue),
      kid: fc.oneof(fc.constantFrom('key-1'), anyValue),
      crit: anyValue,
      b64: anyValue,
      jwk: anyValue,
    },
    { requiredKeys: ['alg'] },
  )
  const claims = fc.record({
    iss: fc.constantFrom('https://accounts.google.com', 'https://evil.example', 7),
    aud: fc.oneof(fc.constant('orbit'), anyValue),
    exp: fc.oneof(fc.constant(4_000_000_000), anyValue),
    email: fc.oneof(fc.constant('push@lab.example'), anyValue),
    email_verified: anyValue,
  })
  const part = (of: fc.Arbitrary<unknown>) =>
    fc.oneof(
      of.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
      fc.string(),
    )
  const signature = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url'))
  return fc.oneof(
    fc.tuple(part(header), part(claims), signature).map((parts) => `Bearer ${parts.join('.')}`),
    anyText.map((text) => `Bearer ${text}`),
    anyText,
  )
}

const PROOF_HEADERS = [
  ...['authorization', 'x-api-key', 'x-hub-signature-256', 'x-gitea-signature'],
  ...['x-jfrog-event-auth', 'x-nexus-webhook-signature'],
]

describe('whatever is sent', () => {
  it.each(formats)('%s never throws and tells of valid names only', (name, format) => {
    let events = 0
    fc.assert(
      fc.property(anyDelivery(name), (delivery) => {
        if ('prove' in format) expect(isProven(format, delivery, ['moon'])).toBe(false)
        const content = format.parse(delivery)
        if (!content.ok) {
          expect(content.reason.length).toBeLessThan(400)
          return
        }
        events += content.value.events.length
        content.value.events.forEach(expectValid)
        content.value.events.forEach(expectValidJob)
      }),
      { numRuns: RUNS },
    )
    // Were nearly all refused at the first look, nothing would have been tried.
    expect(events).toBeGreaterThan(RUNS / 10)
  })

  it.each(formats)('%s reads in no time what is long in the place of any text', (name, format) => {
    const long = ['a/'.repeat(50_000), '/manifests/'.repeat(10_000), ':@'.repeat(50_000)]
    const startedAt = performance.now()
    for (const { headers, body } of readFixtures(name).values()) {
      if (!isJson(body)) continue
      const texts = placesIn(JSON.parse(body)).flatMap((_, at) =>
        long.map((text) => JSON.stringify(replaced(JSON.parse(body), at, text))),
      )
      for (const text of texts) {
        const content = format.parse(deliveryOf({ headers, body: text }))
        if (content.ok) content.value.events.forEach(expectValid)
      }
    }
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  it('gar takes no token for proof that nobody signed, and throws at none', async () => {
    const { publicKey } = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256' }
    const keys = createLocalJWKSet({ keys: [jwk] })
    const expected = { audience: 'orbit', email: 'push@lab.example', keys }

    await fc.assert(
      fc.asyncProperty(anyToken(), async (token) => {
        const headers = { authorization: token }
        const delivery = { headers, body: Buffer.alloc(0), requestId: 'request-1' }
        expect(await FORMATS.gar.verify(delivery, expected)).toBe(false)
      }),
      { numRuns: TOKENS },
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
    ['keys twice', '{"events":[],"events":{},"type":"a","type":1}'],
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
      const readingOf = (body: string) => {
        const content = format.parse(deliveryOf({ ...fixture, body }))
        return content.ok ? content.value.events.map((event) => ({ ...event, id: '' })) : []
      }
      expect(readingOf(twice)).toEqual(readingOf(fixture.body))
    }
  })
})

function expectValid(event: RegistryEvent): void {
  expect(parseRepository(event.repository).ok).toBe(true)
  expect(event.id).toMatch(/^[\x21-\x7e]{1,128}$/)
  if (event.action === 'miss') expect(parseReference(event.reference).ok).toBe(true)
  else {
    expect(event.tag === undefined || parseTag(event.tag).ok).toBe(true)
    expect(event.digest === undefined || parseDigest(event.digest).ok).toBe(true)
  }
}

const EVERYTHING: Project = {
  name: '*',
  upstreams: ['hq'],
  autoSync: true,
  repositories: { include: ['**'], exclude: [] },
  tags: { include: ['*'], exclude: [] },
  platforms: 'all',
  referrers: true,
  revalidateAfterMs: 0,
  onUpstreamPush: 'always',
  onUpstreamDelete: 'delete',
}

/** Of either registry, where everything is wanted. */
function expectValidJob(event: RegistryEvent): void {
  for (const registry of ['local', 'hq']) {
    const decision = decide(event, { registry }, [EVERYTHING])
    if (decision.kind === 'ignore') continue
    const { repository, upstreamRepository, reference } = decision.request
    expect(parseRepository(repository).ok).toBe(true)
    expect(parseRepository(upstreamRepository).ok).toBe(true)
    expect(parseReference(reference).ok).toBe(true)
  }
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
