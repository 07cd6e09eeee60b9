import { describe, expect, it } from 'vitest'
import { FORMATS, type FormatName } from '../../../../src/events/formats.ts'
import { deliveryOf, readFixture, readFixtures } from '../../../fixtures/read-fixtures.ts'

const A = `sha256:${'a1'.repeat(32)}`
const B = `sha256:${'b2'.repeat(32)}`

interface Reading {
  readonly events: readonly object[]
  /** Why entries are no events. */
  readonly dropped: readonly string[]
  readonly answer?: object
}

const probe = { repository: 'orbit/probe' }
const deep = { repository: 'orbit/deep/probe' }
const engineer = { actor: 'flight-engineer' }
const ci = { actor: 'ci', userAgent: 'skopeo/1.9.3' }

/** What every fixture says; `distribution` has a test of its own. */
const READINGS: Readonly<Record<string, Readonly<Record<string, Reading>>>> = {
  harbor: {
    'push-tag-default': one({
      ...{ action: 'push', ...deep, tag: '2.4', digest: A },
      actor: 'robot$orbit+ci',
      id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    }),
    'push-digest-default': one({ action: 'push', ...deep, digest: A }),
    'pull-digest-default': one({ action: 'pull', ...deep, digest: A, actor: 'anonymous' }),
    'delete-tag-default': one({ action: 'delete', ...deep, tag: '2.4', digest: A }),
    'push-tag-cloudevents': one({
      ...{ action: 'push', ...deep, tag: '2.4', digest: A },
      id: '0b9d7c1e-2a44-4e0e-8a53-6f3f0e1f7a01',
    }),
    'pull-digest-cloudevents': one({ action: 'pull', ...deep, digest: A }),
    'delete-tag-cloudevents': one({ action: 'delete', ...deep, tag: '2.4', digest: A }),
    'quota-warned-default': none('unknown-action'),
    'scan-completed-cloudevents': none('unknown-action'),
    'replication-default': none('unknown-action'),
  },
  zot: {
    'image-updated': one({
      ...{ action: 'push', ...probe, tag: '2.4', digest: A, ...ci },
      id: '5b0a0f3c-70c5-4d30-9b6b-8b1c11ce2f10',
    }),
    'image-updated-child': one({ action: 'push', ...probe, digest: A, subject: 'none' }),
    'image-updated-referrer': one({ action: 'push', ...probe, digest: B, subject: A }),
    'image-updated-older': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'image-deleted': one({ action: 'delete', ...probe, tag: '2.4', digest: A }),
    'image-lint-failed': none('unknown-action'),
    'image-scanned': none('unknown-action'),
    'repository-created': none('unknown-action'),
    'image-updated-structured': one({ action: 'push', ...probe, tag: '2.4', id: '77aa' }),
  },
  quay: {
    'repo-push': {
      events: [
        { action: 'push', ...probe, tag: '2.4', id: 'request-1' },
        { action: 'push', ...probe, tag: 'latest', id: 'request-1' },
      ],
      dropped: [],
    },
    'repo-push-older': one({ action: 'push', ...probe, tag: '2.4' }),
    'repo-push-test': {
      events: [{ tag: 'latest' }, { tag: 'foo' }],
      dropped: [],
    },
    'build-success': none('unknown-action'),
  },
  dockerhub: {
    push: one({ action: 'push', ...probe, tag: '2.4', actor: 'flightengineer' }),
    'push-official': one({ action: 'push', repository: 'library/probe', tag: '2.4' }),
  },
  github: {
    'package-published': one({
      ...{ action: 'push', ...probe, tag: '2.4', digest: A, ...engineer },
      id: 'c0ffee00-1111-2222-3333-444455556666',
    }),
    'package-published-child': one({ action: 'push', ...probe, digest: B }),
    'package-updated': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'package-create-older': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'registry-package-published': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'registry-package-older': one({ action: 'push', ...probe, tag: '2.4' }),
    'package-published-npm': none('other-artifact'),
    ping: none('ping'),
    'push-of-commits': none('unknown-action'),
    'package-published-form': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
  },
  gitlab: {
    'push-tag-v1': one({ action: 'push', ...probe, tag: '2.4', digest: A, ...engineer }),
    'push-tag-v2': one({ action: 'push', ...probe, tag: '2.4', digest: A, id: 'd83e-0001' }),
    'push-blob': none('blob'),
    'delete-tag': one({ action: 'delete', ...probe, tag: '2.4' }),
  },
  gitea: {
    'package-created': one({
      ...{ action: 'push', ...probe, tag: '2.4', ...engineer },
      id: '1d5e6f70-aaaa-bbbb-cccc-ddddeeeeffff',
    }),
    'package-created-digest': one({ action: 'push', ...probe, digest: A, subject: 'none' }),
    'package-created-nested': one({ action: 'push', ...deep, tag: '2.4' }),
    'package-deleted': one({ action: 'delete', ...probe, tag: '2.4' }),
    'package-created-npm': none('other-artifact'),
    'push-of-commits': none('unknown-action'),
    'package-created-form': one({ action: 'push', ...probe, tag: '2.4' }),
    'package-created-forgejo': one({
      ...{ action: 'push', ...probe, tag: '2.4' },
      id: '1d5e6f70-aaaa-bbbb-cccc-ddddeeeeffff',
    }),
  },
  acr: {
    push: one({
      ...{ action: 'push', ...probe, tag: '2.4', digest: A, userAgent: 'docker/24.0.5' },
      id: '3c0ffee1-0000-4000-8000-000000000001',
    }),
    'push-digest': one({ action: 'push', ...probe, digest: A }),
    delete: one({ action: 'delete', ...probe, digest: A }),
    quarantine: none('unknown-action'),
    'chart-push': none('other-artifact'),
    ping: none('ping'),
    'event-grid-pushed': {
      events: [
        {
          ...{ action: 'push', ...probe, tag: '2.4', digest: A },
          id: '3c0ffee1-0000-4000-8000-000000000001',
        },
        { action: 'push', ...probe, tag: 'latest' },
      ],
      dropped: [],
    },
    'event-grid-deleted': one({ action: 'delete', ...probe, digest: A }),
    'event-grid-chart-pushed': none('other-artifact'),
    'event-grid-cloudevents-pushed': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'event-grid-validation': { ...none('ping'), answer: { validationResponse: '5E1F-C0DE' } },
  },
  ecr: {
    push: one({ action: 'push', ...probe, tag: '2.4', digest: A, id: '13cd-0001' }),
    'push-digest': one({ action: 'push', ...probe, digest: A }),
    'push-failed': none('failed-there'),
    delete: one({ action: 'delete', ...probe, tag: '2.4', digest: A }),
    batch: { events: [{ tag: '2.4' }, { tag: 'latest' }], dropped: [] },
    scan: none('unknown-action'),
    'pull-through-cache': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    replicated: one({ action: 'push', ...probe, tag: '2.4', digest: A, id: '13cd-0002' }),
  },
  gar: {
    'insert-tag': one({
      ...{ action: 'push', repository: 'lab/orbit/probe', tag: '2.4', digest: A },
      id: '20704436',
    }),
    'insert-digest': one({ action: 'push', repository: 'lab/orbit/probe', digest: A }),
    'delete-tag': one({ action: 'delete', repository: 'lab/orbit/probe', tag: '2.4' }),
    'insert-tag-unwrapped': one({ action: 'push', tag: '2.4', digest: A, id: '20704437' }),
    'insert-gcr': one({ action: 'push', repository: 'lab/probe', tag: '2.4', digest: A }),
    'other-message': none('unknown-action'),
  },
  artifactory: {
    pushed: one({
      ...{ action: 'push', repository: 'orbit-local/deep/probe', tag: '2.4', digest: A },
      ...{ ...engineer, id: expect.stringMatching(/^[0-9a-f]{32}$/) as string },
    }),
    'pushed-digest': one({ action: 'push', repository: 'orbit-local/deep/probe', digest: A }),
    promoted: one({ action: 'push', tag: '2.4' }),
    deleted: one({ action: 'delete', tag: '2.4', digest: A }),
    'artifact-deployed': none('unknown-action'),
  },
  nexus: {
    'component-created': one({
      ...{ action: 'push', ...probe, tag: '2.4', ...engineer },
      id: '6a3b-0001',
    }),
    'component-updated': one({ action: 'push', ...probe, tag: '2.4' }),
    'component-deleted': one({ action: 'delete', ...probe, tag: '2.4' }),
    'component-purged': none('unknown-action'),
    'component-created-maven': none('other-artifact'),
    'asset-created-manifest': one({ action: 'push', ...probe, tag: '2.4' }),
    'asset-created-manifest-digest': one({ action: 'push', ...probe, digest: A }),
    'asset-created-blob': none('blob'),
  },
  cloudevents: {
    'binary-pushed': one({ action: 'push', ...probe, tag: '2.4', digest: A, id: 'ev-1' }),
    'structured-pushed': one({ action: 'push', ...probe, tag: '2.4', digest: A, actor: 'ci' }),
    'structured-base64': one({ action: 'push', ...probe, tag: '2.4', id: 'ev-3' }),
    'structured-ecr': one({ action: 'push', ...probe, tag: '2.4', digest: A }),
    'structured-subject': one({ action: 'delete', ...probe, tag: '2.4' }),
    batch: {
      events: [
        { action: 'push', ...probe, tag: '2.4', id: 'ev-6' },
        { action: 'pull', ...probe, digest: A, id: 'ev-7' },
      ],
      dropped: ['unknown-action'],
    },
  },
  'pull-miss': { miss: one({ action: 'miss', ...probe, reference: '2.4', id: '0f1e2d3c' }) },
}

const FORMAT_NAMES = Object.keys(FORMATS).filter(isFormatName)

describe.each(FORMAT_NAMES.filter((name) => name !== 'distribution'))('the format %s', (format) => {
  it('has a reading here for every fixture', () => {
    expect(Object.keys(READINGS[format] ?? {}).sort()).toEqual(
      [...readFixtures(format).keys()].sort(),
    )
  })

  it.each(Object.entries(READINGS[format] ?? {}))('reads %s', (name, expected) => {
    expect(readingOf(format, name)).toMatchObject(expected)
  })

  it('names no tag that is a digest, and nothing that was not said', () => {
    for (const name of readFixtures(format).keys()) {
      const expected = READINGS[format]?.[name]?.events ?? []
      readingOf(format, name).events.forEach((event, index) => {
        const wanted = expected[index] ?? {}
        if ('action' in wanted) expect([name, 'tag' in event]).toEqual([name, 'tag' in wanted])
        expect(Object.values(event)).not.toContain(undefined)
      })
    }
  })
})

function readingOf(format: FormatName, name: string) {
  const content = FORMATS[format].parse(deliveryOf(readFixture(name, format)))
  if (!content.ok) throw new Error(content.reason)
  const { events, dropped, answer } = content.value
  return { events, dropped: dropped.map(({ reason }) => reason), ...(answer && { answer }) }
}

function one(event: object): Reading {
  return { events: [event], dropped: [] }
}

function none(reason: string): Reading {
  return { events: [], dropped: [reason] }
}

function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(FORMATS, name)
}
