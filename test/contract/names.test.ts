import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import { startRegistry } from '../support/docker-registry.ts'
import { buildImage } from '../support/image.ts'
import { pushOverHttp } from '../support/push-over-http.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import { configFor, open, repository, SIGNAL } from './contract-content.ts'

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

  it.each([401, 403, 404, 405])('are unknown where the catalog answers %i', async (status) => {
    registry.script({ path: CATALOG }, ({ response }) => {
      refuse(response, status, 'DENIED')
    })

    expect(await client.repositories(SIGNAL)).toBeUndefined()
  })

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

  it('are an error where one page of them has no end', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { tags: ['1'], filler: ' '.repeat(8 * 1024 * 1024) })
    })

    await expect(tags()).rejects.toThrow(/one page of its list is larger than 8 MiB/)
  })

  it('end, though the pages do not', async () => {
    registry.script({ path: TAGS }, (turn) => {
      answer(turn, { tags: ['1'] }, `<${turn.request.url ?? ''}>; rel="next"`)
    })

    await expect(tags()).rejects.toThrow(/list of names has no end/)
  })
})
