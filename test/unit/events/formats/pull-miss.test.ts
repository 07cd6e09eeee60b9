import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import { pullMiss } from '../../../../src/events/formats/pull-miss.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`

describe('the pull-miss format', () => {
  it('is refused when it does not parse', () => {
    expect(pullMiss.onMalformed).toBe('refuse')
  })

  it.each([
    ['a bearer token', 'Bearer moon', true],
    ['the password of basic credentials', `Basic ${btoa('proxy:moon')}`, true],
    ['the bare secret', 'moon', false],
    ['another token', 'Bearer mars', false],
    ['nothing', undefined, false],
  ])('is proven or not by %s', (_, authorization, proven) => {
    expect(pullMiss.prove(delivery({}, { authorization }), ['moon'])).toBe(proven)
  })

  it('reads what nginx sends', () => {
    const body = {
      ...{ type: 'pull_miss', id: '5f9c4ab08cac7457e9111a30e4664920' },
      ...{ time: '2026-01-02T03:04:05+00:00', registry: 'edge', host: 'edge.example' },
      ...{ repository: 'orbit/lander', reference: '2.4', method: 'HEAD', client: '10.0.0.7' },
    }

    const content = pullMiss.parse(delivery(body, { 'user-agent': 'containerd/2.1.0' }))

    expect(content).toEqual({
      ok: true,
      value: {
        events: [
          {
            action: 'miss',
            id: '5f9c4ab08cac7457e9111a30e4664920',
            repository: 'orbit/lander',
            reference: '2.4',
            userAgent: 'containerd/2.1.0',
          },
        ],
        dropped: [],
      },
    })
  })

  it('reads a reference that is a digest', () => {
    expect(miss({ repository: 'a/b', reference: DIGEST })).toMatchObject({ reference: DIGEST })
  })

  it('goes by the client that the body names before the one of the header', () => {
    const body = { repository: 'a/b', reference: 'c', useragent: 'docker/28', actor: 'ann' }

    expect(miss(body, { 'user-agent': 'proxy/1' })).toMatchObject({
      actor: 'ann',
      userAgent: 'docker/28',
    })
  })

  it.each([
    ['the id of the body', { id: 'body-1' }, 'header-1', 'body-1'],
    ['the request header', {}, 'header-1', 'header-1'],
    ['the request header when the id is not fit to be one', { id: 'a b' }, 'header-1', 'header-1'],
    ['the request id', {}, undefined, 'request-1'],
    ['the request id when neither is fit to be one', { id: 5 }, 'a\tb', 'request-1'],
  ])('takes its id from %s', (_, changes, header, id) => {
    const body = { repository: 'a/b', reference: 'c', ...changes }

    expect(miss(body, { 'x-request-id': header })).toMatchObject({ id })
  })

  it.each([
    ['no repository', { reference: 'c' }, '"repository"'],
    ['a repository with ".."', { repository: 'a/..', reference: 'c' }, '"a/.."'],
    ['an empty part', { repository: 'a//b', reference: 'c' }, '"a//b"'],
    ['upper case', { repository: 'a/B', reference: 'c' }, '"a/B"'],
    ['a repository that is not text', { repository: ['a'], reference: 'c' }, '"repository"'],
    ['no reference', { repository: 'a/b' }, '"reference"'],
    ['a reference that is neither', { repository: 'a/b', reference: 'c/d' }, '"c/d"'],
    ['an unknown digest', { repository: 'a/b', reference: 'md5:abc' }, '"md5:abc"'],
  ])('does not parse %s, and names it', (_, body, named) => {
    const content = pullMiss.parse(delivery(body))

    expect(content).toEqual({ ok: false, reason: expect.stringContaining(named) as string })
  })
})

function miss(body: object, headers: Delivery['headers'] = {}) {
  const content = pullMiss.parse(delivery(body, headers))
  if (!content.ok) throw new Error(content.reason)
  return content.value.events[0]
}

function delivery(body: object, headers: Delivery['headers'] = {}): Delivery {
  return { headers, body: Buffer.from(JSON.stringify(body)), requestId: 'request-1' }
}
