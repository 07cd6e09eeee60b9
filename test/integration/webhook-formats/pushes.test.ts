import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FormatName } from '../../../src/events/formats.ts'
import { A, formatsSite, type FormatsSite } from './formats-site.ts'

interface Row {
  readonly format: FormatName
  readonly push: string
  /** A push of what an index lists, told by digest. */
  readonly child?: string
  readonly digest?: string
}

const ROWS: readonly Row[] = [
  { format: 'harbor', push: 'push-tag-default', child: 'push-digest-default', digest: A },
  { format: 'harbor', push: 'push-tag-cloudevents', child: 'push-digest-default', digest: A },
  { format: 'zot', push: 'image-updated', child: 'image-updated-child', digest: A },
  { format: 'quay', push: 'repo-push-older' },
  { format: 'dockerhub', push: 'push' },
  { format: 'github', push: 'package-published', child: 'package-published-child', digest: A },
  { format: 'github', push: 'registry-package-published', digest: A },
  { format: 'gitlab', push: 'push-tag-v1', digest: A },
  { format: 'gitlab', push: 'push-tag-v2', digest: A },
  { format: 'gitea', push: 'package-created', child: 'package-created-digest' },
  { format: 'acr', push: 'push', child: 'push-digest', digest: A },
  { format: 'acr', push: 'event-grid-cloudevents-pushed', child: 'push-digest', digest: A },
  { format: 'ecr', push: 'push', child: 'push-digest', digest: A },
  { format: 'gar', push: 'insert-tag', child: 'insert-digest', digest: A },
  { format: 'gar', push: 'insert-tag-unwrapped', child: 'insert-digest', digest: A },
  { format: 'artifactory', push: 'pushed', child: 'pushed-digest', digest: A },
  { format: 'nexus', push: 'component-created', child: 'asset-created-manifest-digest' },
  { format: 'cloudevents', push: 'binary-pushed', digest: A },
  { format: 'cloudevents', push: 'structured-pushed', digest: A },
  { format: 'distribution', push: 'push-index-tag', child: 'push-manifest-by-digest' },
]

const CHILDREN = ROWS.flatMap((row) =>
  row.child === undefined ? [] : [{ ...row, child: row.child }],
)

/** By a tag that lists them, or with the manifest's text. */
const TELLS_OF_REFERRERS: ReadonlySet<FormatName> = new Set(['distribution', 'gitea', 'zot'])

type Body = Record<string, unknown>

interface Several {
  readonly format: FormatName
  readonly push: string
  /** Makes a second tag of the fixture's one, where it does not name two itself. */
  readonly again?: (body: Body) => unknown
  readonly digest?: string
}

/** Deliveries that name two tags, `2.4` and `latest`, of one digest. */
const SEVERAL: readonly Several[] = [
  { format: 'quay', push: 'repo-push' },
  { format: 'acr', push: 'event-grid-pushed', digest: A },
  { format: 'ecr', push: 'batch', digest: A },
  { format: 'harbor', push: 'push-tag-default', again: secondResource, digest: A },
  { format: 'distribution', push: 'push-index-tag', again: secondEvent },
  { format: 'gitlab', push: 'push-tag-v2', again: secondEvent, digest: A },
  { format: 'zot', push: 'image-updated-structured', again: batchOf('reference'), digest: A },
  { format: 'cloudevents', push: 'structured-pushed', again: batchOf('tag'), digest: A },
]

const REPOSITORIES: Readonly<Partial<Record<FormatName, string>>> = {
  harbor: 'orbit/deep/probe',
  artifactory: 'orbit-local/deep/probe',
  gar: 'lab/orbit/probe',
  distribution: 'orbit/lander',
}

describe('the events of every format, through the webhook into the queue', () => {
  let site: FormatsSite

  beforeAll(async () => {
    site = await formatsSite()
  })

  afterAll(() => site[Symbol.asyncDispose]())

  beforeEach(() => site.beginTest())

  it.each(ROWS)('$format: $push is one job', async ({ format, push, digest }) => {
    const answer = await site.post(format, push)

    expect(answer).toEqual({ status: 202, body: { accepted: 1, ignored: 0, duplicates: 0 } })
    const [job, ...others] = await site.jobs()
    expect(others).toEqual([])
    expect(job?.data).toMatchObject({
      repository: REPOSITORIES[format] ?? 'orbit/probe',
      reference: '2.4',
      trigger: 'push',
      ...(digest !== undefined && { announcedDigest: digest }),
    })
  })

  it.each(ROWS)('$format: $push ten times, or under ten ids, is one job', async (row) => {
    const same = Array.from({ length: 10 }, () => site.post(row.format, row.push))
    const others = Array.from({ length: 10 }, (_, number) =>
      site.post(row.format, row.push, (text, id) => text.replaceAll(id, `${id}-${number}`)),
    )

    const answers = await Promise.all([...same, ...others])

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202))
    expect(await site.jobs()).toHaveLength(1)
  })

  it.each(CHILDREN.filter(({ format }) => TELLS_OF_REFERRERS.has(format)))(
    '$format: children before $push are no jobs of their own',
    async ({ format, push, child }) => {
      const before = await site.ignored(format, 'nothing-named')
      const first = await site.post(format, child)
      const second = await site.post(format, child, (text) => text.replaceAll('a1', 'd4'))
      await site.post(format, push)

      expect([first.body, second.body]).toEqual(
        Array(2).fill({ accepted: 0, ignored: 1, duplicates: 0 }),
      )
      expect(await site.ignored(format, 'nothing-named')).toBe(before + 2)
      expect(await site.jobs()).toMatchObject([{ data: { reference: '2.4' } }])
    },
  )

  it('gitea: an index of four children, told of in five deliveries in any order, is one job', async () => {
    const child = (byte: string) =>
      site.post('gitea', 'package-created-digest', (text) => text.replaceAll('a1', byte))

    await Promise.all([
      child('c1'),
      child('c2'),
      site.post('gitea', 'package-created'),
      child('c3'),
    ])
    await child('c4')

    expect(await site.jobs()).toMatchObject([{ data: { reference: '2.4', trigger: 'push' } }])
  })

  it.each(CHILDREN.filter(({ format }) => !TELLS_OF_REFERRERS.has(format)))(
    '$format: what $child names may refer to an image, and is looked at once',
    async ({ format, child }) => {
      const before = await site.ignored(format, 'fresh')

      const answers = [await site.post(format, child), await site.post(format, child)]

      expect(answers.map(({ body }) => body)).toEqual([
        { accepted: 1, ignored: 0, duplicates: 0 },
        { accepted: 0, ignored: 1, duplicates: 0 },
      ])
      expect(await site.ignored(format, 'fresh')).toBe(before + 1)
      expect(await site.jobs()).toMatchObject([
        {
          data: {
            reference: expect.stringMatching(/^sha256:/) as string,
            ...{ trigger: 'revalidate', onlyIfPresent: true },
          },
        },
      ])
    },
  )

  it.each(SEVERAL)(
    '$format: each of the tags in one delivery is a job, which knows its digest',
    async ({ format, push, again, digest }) => {
      const answer = await site.post(format, push, ofBody(again))

      expect(answer).toEqual({ status: 202, body: { accepted: 2, ignored: 0, duplicates: 0 } })
      const requests = (await site.jobs()).map(({ data }) => data)
      expect(requests.map(({ reference }) => reference).toSorted()).toEqual(['2.4', 'latest'])
      const known = digest ?? (format === 'distribution' && (expect.any(String) as string))
      for (const { announcedDigest } of requests) {
        if (known !== false) expect(announcedDigest).toEqual(known)
      }
    },
  )
})

/** Changes a body that is JSON, and no header. */
function ofBody(change: ((body: Body) => unknown) | undefined) {
  return (text: string): string =>
    change !== undefined && text.startsWith('{')
      ? JSON.stringify(change(JSON.parse(text) as Body))
      : text
}

function secondResource(body: Body): Body {
  const data = body['event_data'] as { resources: readonly object[] }
  const resources = [...data.resources, { ...data.resources[0], tag: 'latest' }]
  return { ...body, event_data: { ...data, resources } }
}

function secondEvent(body: Body): Body {
  const events = body['events'] as readonly { id: string; target: object }[]
  const again = events.map(({ id, target, ...event }) => ({
    ...event,
    id: `${id}-2`,
    target: { ...target, tag: 'latest' },
  }))
  return { ...body, events: [...events, ...again] }
}

/** What a bridge makes of two CloudEvents. */
function batchOf(key: string) {
  return (body: Body): readonly Body[] => [
    { ...body, data: { ...(body['data'] as object), digest: A } },
    { ...body, id: 'second', data: { ...(body['data'] as object), [key]: 'latest', digest: A } },
  ]
}
