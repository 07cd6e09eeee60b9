import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import { CorruptBlobError } from '../../src/registry/verified-body.ts'
import type { UploadCheckpoint, UploadState } from '../../src/replication/ports.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { type ScriptedRegistry, startScriptedRegistry } from '../support/scripted-registry.ts'
import {
  type Blob,
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  repository,
  SIGNAL,
} from './contract-content.ts'

const MIB = 1024 * 1024
const REPOSITORY = repository('team/large')

function checkpointInMemory(state?: UploadState) {
  const kept = { state }
  const checkpoint: UploadCheckpoint = {
    load: () => Promise.resolve(kept.state),
    save: (next) => {
      kept.state = next
      return Promise.resolve()
    },
    clear: () => {
      kept.state = undefined
      return Promise.resolve()
    },
  }
  return { kept, checkpoint }
}

/** The blob's bytes, noting from which offsets it was read; breaks at `until` unless that is its end. */
function sourceOf({ bytes }: Blob, until = bytes.length) {
  const offsets: number[] = []
  const openAt = (offset: number) => {
    offsets.push(offset)
    return Promise.resolve(
      Readable.from(
        (function* () {
          for (let at = offset; at < until; at += 100_000) {
            yield bytes.subarray(at, Math.min(at + 100_000, until))
          }
          if (until < bytes.length) throw new Error('the upstream broke')
        })(),
        { objectMode: false },
      ),
    )
  }
  return { offsets, openAt }
}

describe('an upload in chunks', () => {
  let registry: TestRegistry
  let clients: Registry[]

  beforeAll(async () => {
    registry = await startRegistry()
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  beforeEach(() => {
    clients = []
  })

  afterEach(async () => {
    for (const client of clients) await client[Symbol.asyncDispose]()
  })

  /** Another client each time, as another worker has. */
  function worker(url = registry.url) {
    const client = open(configFor(url))
    clients.push(client)
    return client.repository(REPOSITORY)
  }

  it('brings the blob whole', async () => {
    const blob = randomBlob(9 * MIB + 17)
    const { kept, checkpoint } = checkpointInMemory()
    const target = worker()

    const taken = await target.putBlobInChunks(
      blob.descriptor,
      sourceOf(blob).openAt,
      checkpoint,
      SIGNAL,
    )

    expect(taken).toBe(true)
    expect((await bytesOf(await target.getBlob(blob.descriptor, SIGNAL))).equals(blob.bytes)).toBe(
      true,
    )
    expect(kept.state).toBeUndefined()
  })

  it('is continued by another worker from the last whole chunk', async () => {
    const blob = randomBlob(20 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(blob, 13 * MIB)
    await failureOf(worker().putBlobInChunks(blob.descriptor, broken.openAt, checkpoint, SIGNAL))
    expect(kept.state?.offset).toBe(12 * MIB)

    const rest = sourceOf(blob)
    const target = worker()
    await target.putBlobInChunks(blob.descriptor, rest.openAt, checkpoint, SIGNAL)

    expect(rest.offsets).toEqual([12 * MIB])
    expect((await bytesOf(await target.getBlob(blob.descriptor, SIGNAL))).equals(blob.bytes)).toBe(
      true,
    )
  })

  it('is committed without another byte when all had arrived', async () => {
    const blob = randomBlob(8 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const stopped = new AbortController()
    const stopping: UploadCheckpoint = {
      ...checkpoint,
      save: async (state) => {
        await checkpoint.save(state)
        if (state.offset === blob.bytes.length) stopped.abort(new Error('the worker is stopping'))
      },
    }
    const first = worker()
    await failureOf(
      first.putBlobInChunks(blob.descriptor, sourceOf(blob).openAt, stopping, stopped.signal),
    )
    expect(kept.state?.offset).toBe(8 * MIB)

    const rest = sourceOf(blob)
    const target = worker()
    await target.putBlobInChunks(blob.descriptor, rest.openAt, checkpoint, SIGNAL)

    expect(rest.offsets).toEqual([])
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
  })

  it('is begun again when the registry does not know it any more', async () => {
    const blob = randomBlob(5 * MIB)
    const lost = `${registry.url}/v2/${REPOSITORY}/blobs/uploads/00000000-0000-0000-0000-000000000000?_state=x`
    const { checkpoint } = checkpointInMemory({
      location: lost,
      offset: 4 * MIB,
      chunkSize: 4 * MIB,
    })
    const source = sourceOf(blob)
    const target = worker()

    await target.putBlobInChunks(blob.descriptor, source.openAt, checkpoint, SIGNAL)

    expect(source.offsets).toEqual([0])
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
  })

  it.each([
    ['wrong bytes', (blob: Blob) => ({ ...blob, bytes: Buffer.alloc(blob.bytes.length, 7) })],
    ['too few bytes', (blob: Blob) => ({ ...blob, bytes: blob.bytes.subarray(0, 5 * MIB) })],
    [
      'too many bytes',
      (blob: Blob) => ({ ...blob, bytes: Buffer.concat([blob.bytes, blob.bytes]) }),
    ],
  ])('of %s commits nothing and leaves nothing to continue', async (_, spoil) => {
    const blob = randomBlob(9 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const target = worker()

    const failure = await failureOf(
      target.putBlobInChunks(blob.descriptor, sourceOf(spoil(blob)).openAt, checkpoint, SIGNAL),
    )

    expect(failure).toBeInstanceOf(CorruptBlobError)
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(false)
    expect(kept.state).toBeUndefined()
  })

  it('spoiled by the worker before is refused by the registry, and begun again next time', async () => {
    const blob = randomBlob(12 * MIB)
    const spoiled = { ...blob, bytes: Buffer.alloc(blob.bytes.length, 7) }
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(spoiled, 6 * MIB)
    await failureOf(worker().putBlobInChunks(blob.descriptor, broken.openAt, checkpoint, SIGNAL))
    const target = worker()

    const failure = await failureOf(
      target.putBlobInChunks(blob.descriptor, sourceOf(blob).openAt, checkpoint, SIGNAL),
    )

    expect(failure).toMatchObject({ disposition: 'transient', status: 400 })
    expect(kept.state).toBeUndefined()
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(false)
  })
})

describe('a registry that takes no chunks', () => {
  let scripted: ScriptedRegistry

  beforeEach(async () => {
    scripted = await startScriptedRegistry()
  })

  afterEach(async () => {
    await scripted[Symbol.asyncDispose]()
  })

  it('is asked once, and left with no upload open', async () => {
    const blob = randomBlob(5 * MIB)
    let asked = 0
    scripted.script({ method: 'PATCH', path: /uploads/ }, ({ response }) => {
      asked += 1
      response.writeHead(405).end()
    })
    await using client = open(configFor(scripted.url))
    const target = client.repository(REPOSITORY)
    const { checkpoint } = checkpointInMemory()
    const put = () =>
      target.putBlobInChunks(blob.descriptor, sourceOf(blob).openAt, checkpoint, SIGNAL)

    expect(await put()).toBe(false)
    expect(await put()).toBe(false)
    expect(asked).toBe(1)
    expect(scripted.openUploads()).toBe(0)
  })
})

describe('a registry that keeps what came of a chunk that was cut short', () => {
  it('is sent the rest from there, not from the last whole chunk', async () => {
    await using scripted = await startScriptedRegistry()
    const blob = randomBlob(9 * MIB)
    const location = `${scripted.url}/v2/${REPOSITORY}/blobs/uploads/1`
    const ranges: (string | undefined)[] = []
    scripted.script({ method: 'GET', path: /uploads/ }, ({ response }) => {
      response.writeHead(204, { location, range: `0-${6 * MIB - 1}` }).end()
    })
    scripted.script({ method: 'PATCH' }, async ({ request, response }) => {
      ranges.push(request.headers['content-range'])
      await bytesOf(request)
      response.writeHead(202, { location, range: `0-${9 * MIB - 1}` }).end()
    })
    scripted.script({ method: 'PUT' }, ({ response }) => response.writeHead(201).end())
    await using client = open(configFor(scripted.url))
    const source = sourceOf(blob)
    const { checkpoint } = checkpointInMemory({ location, offset: 4 * MIB, chunkSize: 4 * MIB })

    await client
      .repository(REPOSITORY)
      .putBlobInChunks(blob.descriptor, source.openAt, checkpoint, SIGNAL)

    expect(source.offsets).toEqual([6 * MIB])
    expect(ranges).toEqual([`${6 * MIB}-${9 * MIB - 1}`])
  })
})
