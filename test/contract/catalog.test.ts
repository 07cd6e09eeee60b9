import { deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import { nextPage } from '../../src/registry/words/next-page.ts'
import { startRegistry } from '../support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { buildImage } from '../support/images/image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/registry/scripted-registry.ts'
import { configFor, open, repository, SIGNAL } from './contract-content.ts'

const DISTRIBUTION_3 = goProgram('distribution3')
const CATALOG = /_catalog/
const TAGS = /tags\/list/

function answer({ response }: Turn, body: object, link?: string): void {
  const headers = { 'content-type': 'application/json', ...(link !== undefined && { link }) }
  response.writeHead(200, headers)
  response.end(JSON.stringify(body))
}

async function all<Name>(pages: AsyncIterable<readonly Name[]> | undefined): Promise<Name[]> {
  const found: Name[] = []
  for await (const page of pages ?? []) found.push(...page)
  return found
}

describe('the names that a registry has', () => {
  let registry: ScriptedRegistry
  let client: Registry

  beforeEach(async () => {
    registry = await startScriptedRegistry()
    client = open(configFor(registry.url))
  })

  afterEach(async () => {
    for (const each of [client, registry]) await each[Symbol.asyncDispose]()
  })

  const tags = () => all(client.repository(repository('team/app')).tags(SIGNAL))

  it('are read from a real one', async () => {
    await using real = await startRegistry()
    await using image = await buildImage({ index: false })
    for (const [name, tag] of [
      ['team/a', '1'],
      ['team/b', '1'],
      ['team/b', '2'],
    ] as const) {
      await pushOverHttp(image, { url: real.url, repository: name, tag })
    }
    await using reader = open(configFor(real.url))

    expect(await all(await reader.repositories(SIGNAL))).toEqual(['team/a', 'team/b'])
    expect((await all(reader.repository(repository('team/b')).tags(SIGNAL))).toSorted()).toEqual([
      '1',
      '2',
    ])
    expect(await all(reader.repository(repository('team/none')).tags(SIGNAL))).toEqual([])
  })

  it('come page after page, without those that are none', async () => {
    registry.script({ path: CATALOG }, (turn) => {
      answer(turn, { repositories: ['team/b', '../etc'] })
    })
    registry.script({ path: CATALOG, times: 1 }, (turn) => {
      answer(turn, { repositories: ['team/a'] }, '</v2/_catalog?last=team%2Fa&n=1000>; rel="next"')
    })

    expect(await all(await client.repositories(SIGNAL))).toEqual(['team/a', 'team/b'])
  })

  it.each([401, 403, 404, 405, 410, 501])(
    'are unknown where the catalog answers %i',
    async (status) => {
      registry.script({ path: CATALOG }, ({ response }) => {
        refuse(response, status, 'DENIED')
      })

      expect(await client.repositories(SIGNAL)).toBeUndefined()
    },
  )

  it.each([401, 403, 405])(
    'of a repository are not none where its tags answer %i',
    async (status) => {
      registry.script({ path: TAGS }, ({ response }) => {
        refuse(response, status, 'DENIED')
      })

      await expect(tags()).rejects.toThrow(/list the tags of team\/app/)
    },
  )

  it('are none in a repository whose tags are all gone', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { name: 'team/app', tags: null })
    })

    expect(await tags()).toEqual([])
  })

  it('are none in a repository of which the list is left out', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { name: 'team/app' })
    })

    expect(await tags()).toEqual([])
  })

  it('are none where the catalog says so in the way of Go', async () => {
    registry.script({ path: CATALOG }, (turn) => {
      answer(turn, { repositories: null })
    })

    expect(await all(await client.repositories(SIGNAL))).toEqual([])
  })

  it.each(['gzip', 'deflate'] as const)('come through a proxy that packs (%s)', async (coding) => {
    const pack = { gzip: gzipSync, deflate: deflateSync }[coding]
    registry.script({ path: TAGS }, ({ response }) => {
      response.writeHead(200, { 'content-encoding': coding }).end(pack('{"tags":["1"]}'))
    })

    expect(await tags()).toEqual(['1'])
  })

  it.skipIf(DISTRIBUTION_3 === undefined)(
    `are read where pages are shorter than what is asked for${missingProgram('distribution3')}`,
    async () => {
      const extraConfig = 'catalog: { maxentries: 2 }'
      await using real = await startRegistry({ program: DISTRIBUTION_3, extraConfig })
      await using image = await buildImage({ index: false })
      const names = ['team/a', 'team/b', 'team/c']
      for (const name of names) {
        await pushOverHttp(image, { url: real.url, repository: name, tag: '1' })
      }
      await using reader = open(configFor(real.url))

      expect(await all(await reader.repositories(SIGNAL))).toEqual(names)
    },
  )

  it('are an error where one page of them has no end', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { tags: ['1'], filler: ' '.repeat(8 * 1024 * 1024) })
    })

    await expect(tags()).rejects.toThrow(/one page of its list is larger than 8 MiB/)
  })

  it.each([
    ['another name of the registry', '<http://localhost/v2/team/app/tags/list?last=1>; rel="next"'],
    ['https for http', '<https://127.0.0.1/v2/team/app/tags/list?last=1>; rel="next"'],
    ['no quotes', '</v2/team/app/tags/list?last=1>;rel=next'],
    ['a link before it', '</v2/>; rel="first", </v2/team/app/tags/list?last=1>; rel="next"'],
    ['a comma in a title', '<?last=1>; title="a, b; rel=prev"; rel="next"'],
    ['several relations', '<?last=1>; rel="last next"'],
    ['capitals and spaces', '<?last=1> ; REL = "NEXT"'],
    ['a query alone', '<?last=1>; rel="next"'],
    ['commas too many', ',, <?last=1>; rel="next" ,'],
    ['the quotes of another language', "<?last=1>; rel='next'"],
    ['nothing to say of what it is for', '<?last=1>'],
  ])('come page after page where the link has %s', async (_, link) => {
    registry.script({ path: /tags\/list.*last=1/ }, (turn) => {
      answer(turn, { tags: ['2'] })
    })
    registry.script({ path: TAGS, times: 1 }, (turn) => {
      answer(turn, { tags: ['1'] }, link)
    })

    expect(await tags()).toEqual(['1', '2'])
  })

  it.each([
    ['a page is no list', '{"errors":[]}', undefined],
    ['a page is no JSON', 'tags', undefined],
    ['the link leads nowhere', '{"tags":["1"]}', '<http://>; rel="next"'],
    ['the link has no brackets', '{"tags":["1"]}', '/v2/team/app/tags/list?last=1; rel="next"'],
    ['the link is in another form', '{"tags":["1"]}', `<?last=1>; rel*=UTF-8''next`],
    ['the link is none', '{"tags":["1"]}', 'more'],
  ])('are an error, not a shorter list, where %s', async (_, body, link) => {
    registry.script({ path: TAGS }, ({ response }) => {
      response.writeHead(200, link === undefined ? {} : { link })
      response.end(body)
    })

    await expect(tags()).rejects.toThrow(/list the tags of team\/app/)
  })

  it('are an error where a later page is not there', async () => {
    registry.script({ path: TAGS }, ({ response }) => {
      refuse(response, 404, 'NAME_UNKNOWN')
    })
    registry.script({ path: TAGS, times: 1 }, (turn) => {
      answer(turn, { tags: ['1'] }, '<?last=1>; rel="next"')
    })

    await expect(tags()).rejects.toThrow(/list the tags of team\/app/)
  })

  it('are an error where two pages lead to each other', async () => {
    registry.script({ path: TAGS }, (turn) => {
      const [here, there] = turn.request.url?.includes('last=1') ? ['1', '2'] : ['2', '1']
      answer(turn, { tags: [here] }, `<?last=${there}>; rel="next"`)
    })

    await expect(tags()).rejects.toThrow(/its list leads back to itself/)
    expect(registry.requests.length).toBeLessThan(5)
  })

  // What takes quadratic time takes half a minute of this.
  it.each(['<', '<rel '])('are read at once for very many %s', { timeout: 10_000 }, (part) => {
    const url = new URL('http://registry/v2/team/app/tags/list')

    const next = nextPage(part.repeat(200_000 / part.length), url, new URL('http://registry/v2/'))

    expect(next.kind).toBe('none')
  })

  it('are an error where a page is followed by itself', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { tags: ['1'] }, '<>; rel="next"')
    })

    await expect(tags()).rejects.toThrow(/its next page is said to be at/)
    expect(registry.requests).toHaveLength(1)
  })

  it('end, though the pages do not', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { tags: ['1'] }, `<?last=${registry.requests.length}>; rel="next"`)
    })

    await expect(tags()).rejects.toThrow(/list of names has no end/)
  })
})
