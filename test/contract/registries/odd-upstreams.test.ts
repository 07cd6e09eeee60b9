import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../support/images/copy-image.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import {
  configFor,
  failureOf,
  manifestOf,
  open,
  reference,
  repository,
  SIGNAL,
} from '../contract-content.ts'

const REPOSITORY = 'team/app'
const MANIFESTS = /\/manifests\//
const MOVED = { trigger: 'push' } as const

let upstream: ScriptedRegistry
let local: ScriptedRegistry
let from: Registry
let to: Registry

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startScriptedRegistry()
  from = open(configFor(upstream.url, { id: 'hq' }))
  to = open(configFor(local.url))
})

afterEach(async () => {
  for (const part of [from, to, upstream, local]) await part[Symbol.asyncDispose]()
})

function publish(text: string) {
  const bytes = Buffer.from(text)
  upstream.addBlob(REPOSITORY, bytes)
  const layer = { mediaType: 'application/x', digest: digestOf(bytes), size: bytes.length }
  const image = manifestOf({ layers: [layer] })
  upstream.addManifest(REPOSITORY, '1.0', image.bytes, OCI_MANIFEST)
  return image
}

function asked(method: string) {
  const isAsked = (each: { readonly method: string; readonly path: string }) =>
    each.method === method && each.path.includes('/manifests/')
  return upstream.requests.filter(isAsked).length
}

describe('an upstream that refuses HEAD of a manifest', () => {
  it.each([400, 405, 501])('with %i is asked for it by GET', async (status) => {
    publish('one')
    await copyImage({ from, to })
    upstream.script({ method: 'HEAD' }, ({ response }) => response.writeHead(status).end())
    const moved = publish('two')

    const outcome = await copyImage({ from, to }, MOVED)

    expect(outcome).toMatchObject({ kind: 'copied', digest: moved.digest })
    // The GET that told the digest has brought the manifest, too.
    expect(asked('GET')).toBe(2)
    expect(await copyImage({ from, to }, MOVED)).toMatchObject({ kind: 'up-to-date' })
    expect(asked('HEAD')).toBe(1)
  })

  // Docker Hub counts each GET as a pull, and no HEAD.
  it.each([401, 403, 412, 500])('with %i, once, is asked by HEAD the next time', async (status) => {
    publish('one')
    await copyImage({ from, to })
    const failing = { method: 'HEAD', path: MANIFESTS, times: 1 }
    upstream.script(failing, ({ response }) => response.writeHead(status).end())

    expect(await copyImage({ from, to }, MOVED)).toMatchObject({ kind: 'up-to-date' })
    expect(asked('GET')).toBe(2)
    expect(await copyImage({ from, to }, MOVED)).toMatchObject({ kind: 'up-to-date' })
    expect(asked('GET')).toBe(2)
  })

  it('and GET as well is no upstream without the image', async () => {
    publish('one')
    await copyImage({ from, to })
    upstream.script({ path: MANIFESTS }, ({ response }) => {
      refuse(response, 501, 'UNSUPPORTED')
    })

    expect(await failureOf(copyImage({ from, to }, MOVED))).toMatchObject({ status: 501 })

    expect(asked('HEAD')).toBe(1)
  })
})

describe('an upstream that answers 404 to HEAD alone', () => {
  beforeEach(() => {
    upstream.script({ method: 'HEAD' }, ({ response }) => response.writeHead(404).end())
  })

  it('has the image that it gives, and what has moved is copied', async () => {
    publish('one')
    await copyImage({ from, to })
    const moved = publish('two')

    const outcome = await copyImage({ from, to }, MOVED)

    expect(outcome).toMatchObject({ kind: 'copied', digest: moved.digest })
    expect(await copyImage({ from, to }, MOVED)).toMatchObject({ kind: 'up-to-date' })
  })

  it('has it also where that is to be certain', async () => {
    const image = publish('one')
    const source = from.repository(repository(REPOSITORY))

    const head = await source.headManifest(reference('1.0'), SIGNAL, { certain: true })

    expect(head).toMatchObject({ digest: image.digest })
  })
})

it.each(['NAME_INVALID', 'TAG_INVALID'])(
  '%s is no certain word that an image is gone',
  async (code) => {
    upstream.script({}, ({ response }) => {
      refuse(response, 400, code)
    })
    const source = from.repository(repository(REPOSITORY))

    const asked = source.headManifest(reference('1.0'), SIGNAL, { certain: true })

    expect(await failureOf(asked)).toMatchObject({ status: 400 })
  },
)

describe('an upstream that knows an image by its tag alone', () => {
  beforeEach(async () => {
    publish('one')
    await copyImage({ from, to })
    upstream.script({ method: 'GET', path: /manifests\/sha256:/ }, ({ response }) => {
      refuse(response, 404, 'MANIFEST_UNKNOWN')
    })
  })

  it('is asked for it by the tag when that has moved', async () => {
    const moved = publish('two')

    const outcome = await copyImage({ from, to }, MOVED)

    expect(outcome).toMatchObject({ kind: 'copied', digest: moved.digest })
  })

  it('is asked for it by the tag when a push was announced', async () => {
    const moved = publish('two')

    const outcome = await copyImage({ from, to }, { ...MOVED, announcedDigest: moved.digest })

    expect(outcome).toMatchObject({ kind: 'copied', digest: moved.digest })
  })
})

describe('an upstream without the image that does not answer 404', () => {
  it.each([
    [400, 'NAME_INVALID'],
    [400, 'TAG_INVALID'],
    [400, 'NAME_UNKNOWN'],
    [422, 'MANIFEST_UNKNOWN'],
  ])('but %i %s does not have it', async (status, code) => {
    upstream.script({}, ({ response }) => {
      refuse(response, status, code)
    })

    expect(await copyImage({ from, to })).toMatchObject({ kind: 'not-found' })
    const pages = []
    for await (const page of from.repository(repository(REPOSITORY)).tags(SIGNAL)) pages.push(page)
    expect(pages).toEqual([])
  })

  it('but calls what it has invalid is no upstream without it', async () => {
    upstream.script({ path: MANIFESTS }, ({ response }) => {
      refuse(response, 400, 'MANIFEST_INVALID')
    })

    expect(await failureOf(copyImage({ from, to }))).toMatchObject({ disposition: 'permanent' })
  })

  it('locally leads to an error: that is where it is to be', async () => {
    publish('one')
    local.script({ path: MANIFESTS }, ({ response }) => {
      refuse(response, 400, 'NAME_INVALID')
    })

    expect(await failureOf(copyImage({ from, to }))).toMatchObject({
      disposition: 'permanent',
      side: 'local',
      codes: ['NAME_INVALID'],
    })
    expect(asked('GET')).toBe(0)
  })
})
