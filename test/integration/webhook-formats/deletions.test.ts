import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { A, formatsSite, type FormatsSite, IGNORED } from './formats-site.ts'

const DELETES = [
  ['distribution', 'delete-tag'],
  ['harbor', 'delete-tag-default'],
  ['harbor', 'delete-tag-cloudevents'],
  ['zot', 'image-deleted'],
  ['gitlab', 'delete-tag'],
  ['gitea', 'package-deleted'],
  ['ecr', 'delete'],
  ['gar', 'delete-tag'],
  ['artifactory', 'deleted'],
  ['nexus', 'component-deleted'],
  ['cloudevents', 'structured-subject'],
] as const

/** Nobody can tell whether what is gone was a manifest or a blob of it: the worker sees. */
const DELETES_BY_DIGEST = [
  ['distribution', 'delete-blob'],
  ['distribution', 'delete-manifest'],
  ['acr', 'delete'],
  ['acr', 'event-grid-deleted'],
] as const

describe('the events of every format, through the webhook into the queue', () => {
  let site: FormatsSite

  beforeAll(async () => {
    site = await formatsSite()
  })

  afterAll(() => site[Symbol.asyncDispose]())

  beforeEach(() => site.beginTest())

  it.each(DELETES)('%s: %s in the local registry fetches and removes nothing', async (...of) => {
    const [format, name] = of
    site.onUpstreamDelete = 'delete'
    const source = `local-${format}`
    const before = await site.ignored(source, 'delete')

    expect(await site.post(format, name, undefined, source)).toEqual(IGNORED)

    expect(await site.ignored(source, 'delete')).toBe(before + 1)
    expect(await site.jobs()).toEqual([])
  })

  it.each(DELETES)(
    '%s: %s upstream asks to remove the tag, where that is wanted',
    async (...of) => {
      const [format, name] = of
      expect(await site.post(format, name)).toEqual(IGNORED)
      site.onUpstreamDelete = 'delete'

      expect(await site.post(format, name)).toMatchObject({ body: { accepted: 1 } })

      expect(await site.jobs()).toMatchObject([
        { data: { trigger: 'delete', onlyIfPresent: true } },
      ])
    },
  )

  it.each(DELETES_BY_DIGEST)(
    '%s: %s upstream asks to remove what has that digest, where that is wanted',
    async (...of) => {
      const [format, name] = of
      expect(await site.post(format, name)).toEqual(IGNORED)
      site.onUpstreamDelete = 'delete'

      expect(await site.post(format, name)).toMatchObject({ body: { accepted: 1 } })

      const reference = expect.stringMatching(/^sha256:/) as string
      expect(await site.jobs()).toMatchObject([{ data: { trigger: 'delete', reference } }])
    },
  )

  it('distribution: the tags that went with a digest are looked at, too, and with all of that digest', async () => {
    site.onUpstreamDelete = 'delete'
    const event = (id: string, target: object) => ({
      ...{ id, action: 'delete', request: { id: 'request-7', method: 'DELETE' } },
      target: { repository: 'orbit/probe', ...target },
    })
    const digest = event('e1', { digest: A })
    const tags = ['2.4', 'latest', 'edge'].map((tag) => event(tag, { tag, digest: '' }))
    const [first, ...later] = tags
    const send = (...events: object[]) =>
      site.post('distribution', 'delete-tag', () => JSON.stringify({ events }))

    const atOnce = await send(digest, first ?? {})
    const afterwards = [await send(...later.slice(0, 1)), await send(...later.slice(1))]
    const another = await send({
      ...event('alone', { tag: 'alone' }),
      request: { id: 'request-8' },
    })

    expect(atOnce.body).toEqual({ accepted: 2, ignored: 0, duplicates: 0 })
    expect(afterwards.map(({ body }) => body)).toEqual(
      Array(2).fill({ accepted: 1, ignored: 0, duplicates: 0 }),
    )
    expect(another.body).toEqual({ accepted: 1, ignored: 0, duplicates: 0 })
    const found = (await site.jobs()).map(({ data }) => [data.reference, data.announcedDigest])
    expect(Object.fromEntries(found)).toEqual({
      ...{ [A]: undefined, alone: undefined },
      ...{ '2.4': A, latest: A, edge: A },
    })
  })
})
