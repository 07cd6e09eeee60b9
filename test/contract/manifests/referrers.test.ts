import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import { configFor, open, reference, repository, SIGNAL } from '../contract-content.ts'

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
  let skipped: string[]

  beforeEach(async () => {
    registry = await startScriptedRegistry()
    client = open(configFor(registry.url))
  })

  afterEach(async () => {
    for (const each of [client, registry]) await each[Symbol.asyncDispose]()
  })

  async function list() {
    skipped = []
    const note = (reason: string) => skipped.push(reason)
    const from = client.repository(repository(REPOSITORY))
    const found = await from.listReferrers(SUBJECT, SIGNAL, note)
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

  it.each([
    ['another name of the registry', (url: string) => `http://localhost${url}?last=1`],
    ['https for http', (url: string) => `https://127.0.0.1${url}?last=1`],
    ['a name without its path', () => 'http://registry.internal/referrers?last=1'],
  ])('comes page after page where the link has %s', async (_, next) => {
    registry.script({ path: /referrers\/.*last=1/ }, (turn) => {
      answer(turn, listOf('two'))
    })
    registry.script({ path: API, times: 1 }, (turn) => {
      answer(turn, listOf('one'), { link: `<${next(turn.request.url ?? '')}>; rel="next"` })
    })

    expect(await list()).toEqual([entry('one').digest, entry('two').digest])
  })

  it('is told to be incomplete where a page fails, and the rest comes', async () => {
    registry.script({ path: /last=1/ }, ({ response }) => {
      refuse(response, 400, 'UNSUPPORTED')
    })
    registry.script({ path: API, times: 1 }, (turn) => {
      answer(turn, listOf('one'), { link: `<${turn.request.url ?? ''}?last=1>; rel="next"` })
    })

    expect(await list()).toEqual([entry('one').digest])
    expect(skipped).toHaveLength(1)
  })

  it.each([
    ['is unavailable', 503],
    // Which of the first page says that there is no such list.
    ['is refused', 403],
    ['is said not to be there', 404],
  ])('fails where a later page %s and nobody would be told', async (_, status) => {
    registry.addManifest(REPOSITORY, '1.0', Buffer.from('{"schemaVersion":2}'), OCI_MANIFEST)
    registry.addManifest(REPOSITORY, SUBJECT.replace(':', '-'), listOf('tagged'), OCI_INDEX)
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('one'), { link: `<${turn.request.url ?? ''}?last=1>; rel="next"` })
    })
    registry.script({ path: /last=1/ }, ({ response }) => {
      refuse(response, status, 'DENIED')
    })
    const from = client.repository(repository(REPOSITORY))
    await from.getManifest(reference('1.0'), SIGNAL)

    await expect(from.listReferrers(SUBJECT, SIGNAL)).rejects.toThrow(/list what refers/)
    await expect(from.listReferrersByApi(SUBJECT, SIGNAL)).rejects.toThrow(/list what refers/)
    expect(await from.hasReferrersApi(SUBJECT, SIGNAL)).toBe(true)
  })

  it.each(['itself', 'nothing that is understood'])(
    'is told to be incomplete where a page is followed by %s, and the rest comes',
    async (how) => {
      registry.script({ path: API }, (turn) => {
        answer(turn, listOf('one'), { link: how === 'itself' ? '<>; rel="next"' : 'more' })
      })

      expect(await list()).toEqual([entry('one').digest])
      expect(skipped).toHaveLength(1)
    },
  )

  it('is read whatever the case of its type, through a proxy that packs, and where a size is null', async () => {
    const packed = gzipSync(JSON.stringify({ manifests: [{ ...entry('one'), size: null }] }))
    registry.script({ path: API }, (turn) => {
      const type = OCI_INDEX.replace('vnd.oci', 'VND.OCI')
      answer(turn, packed, { 'content-type': type, 'content-encoding': 'gzip' })
    })

    expect(await list()).toEqual([entry('one').digest])
    expect(skipped).toEqual([])
  })

  it.each([
    ['without a digest', { mediaType: OCI_MANIFEST, size: 1 }],
    ['of an algorithm that is not known', { ...entry('x'), digest: 'md5:0' }],
    ['that is no object', 'x'],
    ['whose size is no number', { ...entry('x'), size: '1' }],
  ])('is all the others where there is an entry %s', async (_, odd) => {
    registry.script({ path: API }, (turn) => {
      const manifests = [entry('one'), odd, entry('two')]
      answer(turn, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })))
    })

    expect(await list()).toEqual([entry('one').digest, entry('two').digest])
    expect(skipped).toHaveLength(1)
  })

  it('is nothing where the fallback tag answers with the image itself, or with an index', async () => {
    const image = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }),
    )
    const platform = { os: 'linux', architecture: 'amd64' }
    const index = JSON.stringify({ schemaVersion: 2, manifests: [{ ...entry('x'), platform }] })
    for (const [subject, bytes] of [
      [digestOf(image), image],
      [SUBJECT, Buffer.from(index)],
    ] as const) {
      registry.addManifest(REPOSITORY, subject.replace(':', '-'), bytes, OCI_INDEX)

      expect(
        await client.repository(repository(REPOSITORY)).listReferrers(subject, SIGNAL),
      ).toEqual([])
    }
  })

  it('is asked of the API in one repository though it answered 404 for another', async () => {
    registry.script({ path: /other\/referrers/ }, ({ response }) => {
      refuse(response, 404, 'NAME_UNKNOWN')
    })
    registry.script({ path: /app\/referrers/ }, (turn) => {
      answer(turn, listOf('one'))
    })

    await client.repository(repository('team/other')).listReferrers(SUBJECT, SIGNAL)

    expect(await list()).toEqual([entry('one').digest])
  })

  it.each([
    // As distribution 2.8 answers, which has no such path.
    ['no such path, of three of its repositories for all of a project', 'text/plain', 3],
    ['no such repository, of each for itself', 'application/json', 5],
  ])('is asked of an API that says that there is %s', async (_, type, times) => {
    registry.script({ path: API }, ({ response }) => {
      response.writeHead(404, { 'content-type': type }).end('404 page not found')
    })

    for (const name of ['team/one', 'team/two', 'team/three', 'team/four', 'team/five']) {
      await client.repository(repository(name)).listReferrers(SUBJECT, SIGNAL)
    }

    expect(asked(API)).toBe(times)
    await client.repository(repository('other/app')).listReferrers(SUBJECT, SIGNAL)
    expect(asked(API)).toBe(times + 1)
  })

  it('is asked of the API again where another project has shown that there is one', async () => {
    registry.script({ path: API }, ({ response }) => {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
    })
    for (const name of ['team/one', 'team/two', 'team/three']) {
      await client.repository(repository(name)).listReferrers(SUBJECT, SIGNAL)
    }
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('one'))
    })
    await client.repository(repository('other/app')).listReferrers(SUBJECT, SIGNAL)

    const listed = await client.repository(repository('team/four')).listReferrers(SUBJECT, SIGNAL)
    expect(listed.map(({ digest }) => digest)).toEqual([entry('one').digest])
  })

  it('ends, though the pages do not', async () => {
    registry.script({ path: API }, (turn) => {
      answer(turn, listOf('one'), { link: `<?last=${asked(API)}>; rel="next"` })
    })

    await list()

    expect(asked(API)).toBe(20)
  })

  it.each([400, 404, 405, 406, 410, 415, 422, 501])(
    'is under the fallback tag where the API answers %i',
    async (status) => {
      registry.script({ path: API }, ({ response }) => {
        refuse(response, status, 'UNSUPPORTED')
      })
      registry.addManifest(REPOSITORY, SUBJECT.replace(':', '-'), listOf('tagged'), OCI_INDEX)

      expect(await list()).toEqual([entry('tagged').digest])
      expect(await list()).toEqual([entry('tagged').digest])
      // The registry was told to have no API once: it is not asked again for a while.
      expect(asked(API)).toBe(1)
    },
  )

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
