import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { readUpTo } from '../../../src/registry/transport/body.ts'
import { eventually } from '../../support/eventually.ts'
import {
  configFor,
  failureOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
} from '../contract-content.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'

const BRIEF_MS = 200
const TAG = reference('1.0')
const SMALL = randomBlob(100_000)
const LARGE = randomBlob(2_000_000)

describe('an upstream that falls silent', () => {
  let registry: ScriptedRegistry
  let client: Registry

  beforeEach(async () => {
    registry = await startScriptedRegistry()
    for (const { bytes } of [SMALL, LARGE]) registry.addBlob('team/app', bytes)
    client = open(configFor(registry.url, { id: 'hq' }), {
      briefStallMs: BRIEF_MS,
      stallTimeoutMs: 50_000,
    })
  })

  afterEach(async () => {
    await client[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
  })

  function repo() {
    return client.repository(repository('team/app'))
  }

  async function read({ descriptor }: typeof SMALL) {
    const body = await repo().getBlob(descriptor, SIGNAL)
    return (await readUpTo(descriptor.size, body)).bytes
  }

  /** The headers and the first bytes, and no more. */
  function stopIn({ bytes }: typeof SMALL) {
    return ({ response }: Turn) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 1_000))
    }
  }

  it.each([
    ['a HEAD of a manifest', () => repo().headManifest(TAG, SIGNAL), 'no answer came for 0.2 s'],
    ['a manifest', () => repo().getManifest(TAG, SIGNAL), 'no answer came for 0.2 s'],
    ['a small blob', () => read(SMALL), 'no answer came for 0.2 s'],
    ['a byte of a blob', () => repo().givesBlob(LARGE.descriptor, SIGNAL), 'no answer came for'],
  ])('is given up soon when asked for %s', async (_, ask, message) => {
    registry.script({ path: /manifests|blobs/ }, () => undefined)

    expect(await failureOf(ask())).toMatchObject({
      disposition: 'transient',
      message: expect.stringContaining(message) as string,
    })
  })

  it('is given up soon in the middle of a small blob', async () => {
    registry.script({ path: /blobs/ }, stopIn(SMALL))

    await expect(read(SMALL)).rejects.toThrow('no byte came for')
  })

  it('is given up when a manifest comes byte by byte without an end', async () => {
    registry.script({ path: /manifests/ }, async ({ response }) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST })
      while (!response.destroyed) {
        response.write(' ')
        await setTimeout(BRIEF_MS / 10)
      }
    })

    await expect(repo().getManifest(TAG, SIGNAL)).rejects.toThrow('came too slowly')
  })

  it.each([
    ['of a header without an end', 'HTTP/1.1 200 OK\r\nX: ', 'a'],
    ['of an announcement of another one', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
  ])('is given up when an answer has its beginning, %s', async (_, start, more) => {
    registry.script({ path: /manifests/ }, async ({ request: { socket } }) => {
      socket.write(start)
      while (!socket.destroyed) {
        socket.write(more)
        await setTimeout(BRIEF_MS / 10)
      }
    })

    await expect(repo().getManifest(TAG, SIGNAL)).rejects.toThrow('no whole answer came within 2 s')
  })

  it('has time for a large blob', async () => {
    let letGo = (): void => undefined
    registry.script({ path: /blobs/, times: 1 }, ({ serve }) => {
      letGo = () => void serve()
    })
    const reading = read(LARGE)
    await eventually(() => registry.requests.length === 1)
    // As long as two small ones may take.
    registry.script({ path: /manifests/ }, () => undefined)
    await failureOf(repo().headManifest(TAG, SIGNAL))
    await failureOf(repo().headManifest(TAG, SIGNAL))

    letGo()

    expect((await reading).equals(LARGE.bytes)).toBe(true)
  })

  it('has twice the time after each stall, so that one that always takes long is answered by', async () => {
    registry.script({ path: /manifests/ }, () => undefined)

    for (const seconds of ['0.2', '0.4', '0.8']) {
      await expect(repo().getManifest(TAG, SIGNAL)).rejects.toThrow(`came for ${seconds} s`)
    }
  })
})
