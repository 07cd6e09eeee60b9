import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import { distribution } from '../../../../src/events/formats/distribution.ts'
import { CAPTURE_SECRET } from '../../../fixtures/capture-distribution.ts'
import { deliveryOf, readFixture, readFixtures } from '../../../fixtures/read-fixtures.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const DIGEST = `sha256:${'ab'.repeat(32)}`

describe('the distribution format', () => {
  it('is answered 202 when it does not parse, because the sender repeats all else for ever', () => {
    expect(distribution.onMalformed).toBe('accept')
  })

  describe('proof', () => {
    it.each([
      ['a bearer token', 'Bearer moon', true],
      ['the password of basic credentials', `Basic ${btoa('anybody:moon')}`, true],
      ['the bare secret', 'moon', true],
      ['the older secret', 'Bearer sun', true],
      ['another token', 'Bearer mars', false],
      ['the secret as the user name', `Basic ${btoa('moon:mars')}`, false],
      ['nothing', undefined, false],
    ])('%s', (_, authorization, proven) => {
      const delivery = { headers: { authorization }, body: Buffer.alloc(0), requestId: 'r' }

      expect(distribution.prove(delivery, ['moon', 'sun'])).toBe(proven)
    })

    it('takes a whole header value as the secret', () => {
      const headers = { authorization: 'Token moon' }
      const delivery = { headers, body: Buffer.alloc(0), requestId: 'r' }

      expect(distribution.prove(delivery, ['Token moon'])).toBe(true)
    })
  })

  describe('what docker-registry 2.8.2 sent', () => {
    it('is proven', () => {
      for (const delivery of readFixtures().values()) {
        expect(distribution.prove(deliveryOf(delivery), [CAPTURE_SECRET])).toBe(true)
      }
    })

    it.each([
      ['push-manifest-tag', { action: 'push', repository: 'orbit/probe', tag: 'nightly' }],
      ['push-index-tag', { action: 'push', repository: 'orbit/lander', tag: '2.4' }],
      ['push-manifest-by-digest', { action: 'push', repository: 'orbit/lander', subject: 'none' }],
      ['pull-manifest-tag-get', { action: 'pull', repository: 'orbit/probe', tag: 'nightly' }],
      ['pull-manifest-tag-head', { action: 'pull', repository: 'orbit/probe', tag: 'nightly' }],
      ['pull-manifest-digest', { action: 'pull', repository: 'orbit/probe' }],
      ['delete-manifest', { action: 'delete', repository: 'orbit/probe' }],
      ['delete-blob', { action: 'delete', repository: 'orbit/probe' }],
    ])('%s is an event', (name, expected) => {
      const { events, dropped } = fixture(name)

      expect(dropped).toEqual([])
      expect(events).toMatchObject([{ ...expected, actor: 'flight-engineer' }])
      expect(events[0]).toHaveProperty('digest')
      expect(events[0] !== undefined && 'tag' in events[0]).toBe('tag' in expected)
    })

    it('delete-tag is an event without a digest', () => {
      expect(fixture('delete-tag').events).toEqual([
        {
          action: 'delete',
          id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          cause: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          repository: 'orbit/probe',
          tag: 'nightly',
          actor: 'flight-engineer',
          userAgent: 'capture-client/1.0',
        },
      ])
    })

    it.each(['push-blob', 'pull-blob', 'mount-blob'])('%s is dropped', (name) => {
      expect(fixture(name)).toMatchObject({ events: [], dropped: [{ reason: 'blob' }] })
    })
  })

  it('reads every event of a delivery', () => {
    const { events, dropped } = parsedEvents(event({ tag: 'a' }), event({ tag: 'b' }), {})

    expect(events).toMatchObject([{ tag: 'a' }, { tag: 'b' }])
    expect(dropped).toHaveLength(1)
  })

  it.each([
    ['an unknown action', event({}, { action: 'pong' }), 'unknown-action', '"pong"'],
    ['an inherited name as action', event({}, { action: 'toString' }), 'unknown-action', ''],
    ['no action', { target: {} }, 'unknown-action', ''],
    ['a mount', event({}, { action: 'mount' }), 'blob', ''],
    [
      'a delete that says it is of a blob',
      event({ mediaType: 'application/octet-stream' }, { action: 'delete' }),
      'blob',
      '',
    ],
    ['a layer by its own media type', event({ mediaType: 'application/x-tar' }), 'blob', ''],
    ['".."', event({ repository: 'a/../b' }), 'invalid-name', '"a/../b"'],
    ['upper case', event({ repository: 'A/b' }), 'invalid-name', '"A/b"'],
    ['no repository', event({ repository: undefined }), 'invalid-name', 'empty'],
    ['a wrong tag', event({ tag: '-x' }), 'invalid-name', '"-x"'],
    ['a tag that is not text', event({ tag: 7 }), 'invalid-name', 'the tag is not text'],
    ['a wrong digest', event({ digest: 'sha256:x' }), 'invalid-name', '"sha256:x"'],
    ['neither tag nor digest', event({ tag: '', digest: undefined }), 'incomplete', 'team/app'],
    ['an entry that is a list', [], 'incomplete', 'events[0]'],
    ['an entry that is null', null, 'incomplete', 'events[0]'],
  ])('drops %s', (_, entry, reason, detail) => {
    const { events, dropped } = parsedEvents(entry)

    expect(events).toEqual([])
    expect(dropped).toEqual([{ reason, detail: expect.stringContaining(detail) as string }])
  })

  it.each([
    ['upper case and parameters', 'Application/vnd.OCI.image.index.v1+json; charset=utf-8'],
    ['schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    ['none', undefined],
  ])('passes a manifest whose media type has %s', (_, mediaType) => {
    expect(parsedEvents(event({ mediaType })).events).toHaveLength(1)
  })

  it('uses the request id where an event has no id that is fit to be one', () => {
    const ids = [undefined, '', 17, 'a\nb', 'x'.repeat(200)]
    const { events } = parsedEvents(...ids.map((id) => event({}, { id })))

    expect(events.map(({ id }) => id)).toEqual(ids.map(() => 'request-1'))
  })

  it('keeps no more than 256 characters of what the sender says about the client', () => {
    const { events } = parsedEvents(event({}, { request: { useragent: 'u'.repeat(9_000) } }))

    expect(events[0]?.userAgent).toHaveLength(256)
  })

  it('takes nothing from what an object inherits', () => {
    const text =
      '{"events":[{"action":"push","target":{"__proto__":{"repository":"a/b","tag":"c"}}}]}'

    expect(parse(text)).toMatchObject({ value: { dropped: [{ reason: 'invalid-name' }] } })
    expect(parse('{"__proto__":{"events":[]}}')).toMatchObject({ ok: false })
  })

  it('tolerates a byte order mark', () => {
    expect(parse('\uFEFF{"events":[]}')).toEqual({ ok: true, value: { events: [], dropped: [] } })
  })

  it.each([
    ['an empty body', '', 'empty'],
    ['no JSON', '<events/>', 'not valid JSON'],
    ['invalid UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22]), 'UTF-8'],
    ['half a body', '{"events":[', 'not valid JSON'],
    ['a list', '[]', 'not a JSON object'],
    ['null', 'null', 'not a JSON object'],
    ['no events', '{}', '"events" is not a list'],
    ['events that are an object', '{"events":{"length":1}}', '"events" is not a list'],
    ['1,001 events', JSON.stringify({ events: Array(1_001).fill({}) }), '1001 entries'],
    ['a million open brackets', '['.repeat(1_000_000), 'not valid JSON'],
  ])('does not parse %s', (_, body, reason) => {
    expect(parse(body)).toEqual({ ok: false, reason: expect.stringContaining(reason) as string })
  })

  it('reads an event with a very deep unknown part', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const body = `{"x":${deep},"events":[${JSON.stringify(event({}))}]}`

    expect(parse(body)).toMatchObject({ ok: true, value: { events: [{ tag: '1.0' }] } })
  })
})

function fixture(name: string) {
  const content = distribution.parse(deliveryOf(readFixture(name)))
  if (!content.ok) throw new Error(content.reason)
  return content.value
}

function parsedEvents(...events: unknown[]) {
  const content = parse(JSON.stringify({ events }))
  if (!content.ok) throw new Error(content.reason)
  return content.value
}

function parse(body: string | Buffer) {
  const delivery: Delivery = { headers: {}, body: Buffer.from(body), requestId: 'request-1' }
  return distribution.parse(delivery)
}

function event(target: object, changes: object = {}): object {
  return {
    id: 'event-1',
    action: 'push',
    target: { mediaType: MANIFEST, repository: 'team/app', tag: '1.0', digest: DIGEST, ...target },
    ...changes,
  }
}
