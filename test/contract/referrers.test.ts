import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import type { Registry } from '../../src/registry/registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import { configFor, open, repository, SIGNAL } from './contract-content.ts'

const REPOSITORY = 'team/app'
const SUBJECT = digestOf(Buffer.from('an image'))
const API = /\/referrers\//

function entry(name: string) {
  const bytes = Buffer.from(name)
  return { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.length, artifactType: 'x' }
}

function listOf(...names: string[]): Buffer {
  const manifests = names.map(entry)
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
}

function answer({ response }: Turn, body: Buffer, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': OCI_INDEX, ...headers })
  response.end(body)
}

describe('what refers to a manifest', () => {
  let registry: ScriptedRegistry
  let client: Registry

  beforeEach(async () => {
    registry = await startScriptedRegistry()
    client = open(configFor(registry.url))
  })

  afterEach(async () => {
    for (const each of [client, registry]) await each[Symbol.asyncDispose]()
  })

  async function list() {
    const found = await client.repository(repository(REPOSITORY)).listReferrers(SUBJECT, SIGNAL)
    return found.map(({ digest }) => digest)
  }

  function asked(path: RegExp) {
    return registry.requests.filter((request) => path.test(request.path)).length
  }

  it('is asked of the API, page after page', async () => {
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('two'))
    })
    registry.script({ path: API, times: 1 }, (turn) => {
      answer(turn, listOf('one'), { link: `<${turn.request.url ?? ''}?last=1>; rel="next"` })
    })

    expect(await list()).toEqual([entry('one').digest, entry('two').digest])
    expect(asked(API)).toBe(2)
  })

  it('is no page of another host', async () => {
    const next = `<http://localhost:${registry.port}/v2/${REPOSITORY}/referrers/more>; rel="next"`
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('one'), { link: next })
    })

    expect(await list()).toEqual([entry('one').digest])
    expect(asked(API)).toBe(1)
  })

  it('ends, though the pages do not', async () => {
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('one'), { link: `<${turn.request.url ?? ''}>; rel="next"` })
    })

    await list()

    expect(asked(API)).toBe(20)
  })

  it.each([404, 405])('is under the fallback tag where the API answers %i', async (status) => {
    registry.script({ path: API }, ({ response }) => {
      refuse(response, status, 'UNSUPPORTED')
    })
    registry.addManifest(REPOSITORY, SUBJECT.replace(':', '-'), listOf('tagged'), OCI_INDEX)

    expect(await list()).toEqual([entry('tagged').digest])
    expect(await list()).toEqual([entry('tagged').digest])
    // The registry was told to have no API once: it is not asked again for a while.
    expect(asked(API)).toBe(1)
  })

  it('is under the fallback tag where everything unknown is a page for people', async () => {
    registry.script({ path: API }, ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<h1>Welcome</h1>')
    })
    registry.addManifest(REPOSITORY, SUBJECT.replace(':', '-'), listOf('tagged'), OCI_INDEX)

    expect(await list()).toEqual([entry('tagged').digest])
  })

  it('is nothing where there is neither', async () => {
    registry.script({ path: API }, ({ response }) => {
      refuse(response, 404, 'NOT_FOUND')
    })

    expect(await list()).toEqual([])
  })

  it('is an error where the list is none, and where it has no end', async () => {
    registry.script({ path: API, times: 1 }, (turn) => {
      answer(turn, Buffer.from('[]'))
    })
    await expect(list()).rejects.toThrow(/list cannot be read/)

    registry.script({ path: API, times: 1 }, (turn) => {
      answer(turn, Buffer.alloc(5 * 1024 * 1024, ' '))
    })
    await expect(list()).rejects.toThrow(/larger than 4 MiB/)
  })
})
