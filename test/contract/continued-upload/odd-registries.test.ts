import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Registry } from '../../../src/registry/registry.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import {
  type Blob,
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  SIGNAL,
} from '../contract-content.ts'
import { checkpointInMemory, type Manner, MIB, REPOSITORY, sourceOf } from './interrupted.ts'

describe('a registry that takes no PATCH', () => {
  let scripted: ScriptedRegistry

  beforeEach(async () => {
    scripted = await startScriptedRegistry()
  })

  afterEach(async () => {
    vi.useRealTimers()
    await scripted[Symbol.asyncDispose]()
  })

  it('is asked once in an hour, sent the blob in its PUT, and left with no upload open', async () => {
    let asked = 0
    scripted.script({ method: 'PATCH', path: /uploads/ }, ({ response }) => {
      asked += 1
      response.writeHead(405).end()
    })
    await using client = open(configFor(scripted.url))
    const target = client.repository(REPOSITORY)
    const put = async () => {
      const blob = randomBlob(5 * MIB)
      const { checkpoint } = checkpointInMemory()
      await target.bringBlob(blob.descriptor, sourceOf(blob).openAt, SIGNAL, { checkpoint })
      expect(scripted.hasBlob(REPOSITORY, blob.descriptor.digest)).toBe(true)
    }

    await put()
    await put()
    expect(asked).toBe(1)
    expect(scripted.openUploads()).toBe(0)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    await put()
    expect(asked).toBe(2)
  })
})

describe('a registry that takes uploads in its own way', () => {
  let scripted: ScriptedRegistry
  let client: Registry

  beforeEach(async () => {
    scripted = await startScriptedRegistry()
    client = open(configFor(scripted.url))
  })

  afterEach(async () => {
    for (const part of [client, scripted]) await part[Symbol.asyncDispose]()
  })

  /** Takes uploads, and tells where the rest is to go. */
  function takeUploads(locationOf: (count: number) => string, range?: string): void {
    scripted.script({ method: 'POST' }, ({ response }) => {
      response.writeHead(202, { location: locationOf(0) }).end()
    })
    scripted.script({ method: 'PATCH' }, async ({ request, response }) => {
      const { length } = await bytesOf(request)
      const headers = { location: locationOf(1), range: range ?? `0-${length - 1}` }
      response.writeHead(202, headers).end()
    })
    scripted.script({ method: 'PUT' }, ({ response }) => response.writeHead(201).end())
  }

  async function put(blob: Blob, manner: Manner = {}) {
    const { kept, checkpoint } = checkpointInMemory()
    const target = client.repository(REPOSITORY)
    const open = sourceOf(blob, manner).openAt
    const done = target.bringBlob(blob.descriptor, open, SIGNAL, { checkpoint })
    return { done: await done.catch((error: unknown) => error), kept }
  }

  it('is sent a large blob in one request, as Docker sends it', async () => {
    takeUploads((count) => `/v2/team/large/blobs/uploads/${count}`)

    expect((await put(randomBlob(60 * MIB))).done).toBe('copied')

    expect(scripted.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PUT'])
  })

  it('is followed to where it says that the end is to go', async () => {
    takeUploads((count) => `${count}?_state=${count}`)

    expect((await put(randomBlob(9 * MIB))).done).toBe('copied')

    const sent = scripted.requests.filter(({ method }) => method === 'PATCH' || method === 'PUT')
    expect(sent[0]?.path).toBe('/v2/team/large/blobs/uploads/0?_state=0')
    expect(sent[1]?.path).toContain('/v2/team/large/blobs/uploads/1?_state=1&digest=sha256')
  })

  it('is not followed to the metadata service of a cloud', async () => {
    takeUploads((count) => (count === 0 ? '0' : 'http://169.254.169.254/latest/meta-data'))

    expect((await put(randomBlob(9 * MIB))).done).toMatchObject({
      ...{ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' },
    })
  })

  it('is not believed that it has another number of bytes', async () => {
    takeUploads((count) => `/v2/team/large/blobs/uploads/${count}`, '0-99')

    const { done, kept } = await put(randomBlob(9 * MIB))

    expect(String(done)).toContain('how to go on after byte')
    expect(kept.state).toBeUndefined()
    // Told that there is none, it has asked once more.
    expect(scripted.requests.slice(-2).map(({ method }) => method)).toEqual(['DELETE', 'GET'])
  })

  it('and loses the upload in the middle is left nothing of it, and nothing to continue', async () => {
    takeUploads((count) => `/v2/team/large/blobs/uploads/${count}`)
    scripted.script({ method: 'PUT' }, ({ response }) => response.writeHead(404).end())

    const { done, kept } = await put(randomBlob(9 * MIB))

    expect(done).toMatchObject({ disposition: 'transient', status: 404 })
    expect(kept.state).toBeUndefined()
    // Told that there is none, it has asked once more.
    expect(scripted.requests.slice(-2).map(({ method }) => method)).toEqual(['DELETE', 'GET'])
  })
})

describe('a registry that is slow to open an upload', () => {
  it.each([
    ['is stopped', undefined],
    ['loses its upstream', new Error('the upstream broke')],
  ])('costs a worker that %s nothing but that copy', async (_, broken) => {
    await using scripted = await startScriptedRegistry()
    let answer = (): void => undefined
    scripted.script({ method: 'POST', path: /uploads/ }, async ({ response }) => {
      await new Promise<void>((resolve) => (answer = resolve))
      response.writeHead(202, { location: '/v2/team/large/blobs/uploads/1' }).end()
    })
    await using client = open(configFor(scripted.url))
    const stop = new AbortController()
    // Its error before anybody reads it must not end the process.
    const body = new PassThrough()
    const openBody = (_offset: number, until: AbortSignal) => {
      until.addEventListener('abort', () => body.destroy(until.reason as Error))
      return Promise.resolve(body)
    }
    const put = client
      .repository(REPOSITORY)
      .bringBlob(randomBlob(40 * MIB).descriptor, openBody, stop.signal, {
        checkpoint: checkpointInMemory().checkpoint,
      })
    const failure = failureOf(put)
    await eventually(() => scripted.requests.some(({ method }) => method === 'POST'))

    if (broken === undefined) stop.abort(new Error('the worker is stopping'))
    else body.destroy(broken)
    await eventually(() => body.destroyed)
    answer()

    expect(await failure).toMatchObject({ message: broken?.message ?? 'the worker is stopping' })
  })
})
