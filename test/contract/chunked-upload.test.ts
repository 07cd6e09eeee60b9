import { PassThrough, Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import { CorruptBlobError } from '../../src/registry/verified-body.ts'
import type { UploadCheckpoint, UploadState } from '../../src/replication/ports.ts'
import { eventually } from '../support/eventually.ts'
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

interface Manner {
  /** Where it breaks, unless that is its end. */
  readonly until?: number
  /** As from an upstream that is slower than the registry: 16 MiB/s at most. */
  readonly slow?: boolean
  /** Called before the piece at that offset. */
  readonly passing?: (at: number) => void
}

const PIECE = 256 * 1024

/** The blob's bytes, noting from which offsets it was read. */
function sourceOf({ bytes }: Blob, manner: Manner = {}) {
  const { until = bytes.length, slow = false, passing } = manner
  const offsets: number[] = []
  const openAt = (offset: number, signal: AbortSignal) => {
    offsets.push(offset)
    const body = Readable.from(
      (async function* () {
        for (let at = offset; at < until; at += PIECE) {
          if (slow) await delay(16)
          passing?.(at)
          yield bytes.subarray(at, Math.min(at + PIECE, until))
        }
        if (until < bytes.length) throw new Error('the upstream broke')
      })(),
      { objectMode: false },
    )
    signal.addEventListener('abort', () => body.destroy(signal.reason as Error))
    return Promise.resolve(body)
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
    const broken = sourceOf(blob, { until: 13 * MIB, slow: true })
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

  it('finishes what is on its way when the worker is stopped, so that another one continues', async () => {
    const blob = randomBlob(80 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const stop = new AbortController()
    const source = sourceOf(blob, {
      passing: (at) => {
        if (at === 10 * MIB) stop.abort(new Error('the worker is stopping'))
      },
    })

    const failure = await failureOf(
      worker().putBlobInChunks(blob.descriptor, source.openAt, checkpoint, stop.signal),
    )

    expect(failure).toMatchObject({ message: 'the worker is stopping' })
    expect(kept.state?.offset).toBeGreaterThan(10 * MIB)
    const rest = sourceOf(blob)
    const target = worker()
    await target.putBlobInChunks(blob.descriptor, rest.openAt, checkpoint, SIGNAL)
    expect(rest.offsets[0] ?? blob.bytes.length).toBeGreaterThan(10 * MIB)
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
  })

  it('fails as the upstream does in the middle of much at once, and leaves nothing to continue', async () => {
    const blob = randomBlob(60 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(blob, { until: 50 * MIB })

    const failure = await failureOf(
      worker().putBlobInChunks(blob.descriptor, broken.openAt, checkpoint, SIGNAL),
    )

    expect(failure).toMatchObject({ message: 'the upstream broke' })
    expect(kept.state).toBeUndefined()
  })

  it('of a body that ends early in the middle of much at once is the fault of that body', async () => {
    const blob = randomBlob(60 * MIB)
    const short = { ...blob, bytes: blob.bytes.subarray(0, 50 * MIB) }

    const failure = await failureOf(
      worker().putBlobInChunks(
        blob.descriptor,
        sourceOf(short).openAt,
        checkpointInMemory().checkpoint,
        SIGNAL,
      ),
    )

    expect(failure).toBeInstanceOf(CorruptBlobError)
    expect(failure).toHaveProperty(
      'message',
      expect.stringContaining(`expected ${60 * MIB} bytes, got ${50 * MIB}`),
    )
  })

  it('spoiled by the worker before is refused by the registry, and begun again next time', async () => {
    const blob = randomBlob(12 * MIB)
    const spoiled = { ...blob, bytes: Buffer.alloc(blob.bytes.length, 7) }
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(spoiled, { until: 6 * MIB })
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
    vi.useRealTimers()
    await scripted[Symbol.asyncDispose]()
  })

  it('is asked once in an hour, and left with no upload open', async () => {
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
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    expect(await put()).toBe(false)
    expect(asked).toBe(2)
  })
})

describe('a registry that takes chunks in its own way', () => {
  let scripted: ScriptedRegistry
  let client: Registry
  let chunks: number[]

  beforeEach(async () => {
    scripted = await startScriptedRegistry()
    client = open(configFor(scripted.url))
    chunks = []
  })

  afterEach(async () => {
    for (const part of [client, scripted]) await part[Symbol.asyncDispose]()
  })

  /** Takes chunks, and tells after each one where the next one is to go. */
  function takeChunks(locationOf: (count: number) => string, minimum?: number): void {
    scripted.script({ method: 'POST' }, ({ response }) => {
      const told = minimum === undefined ? {} : { 'oci-chunk-min-length': `${minimum}` }
      response.writeHead(202, { location: locationOf(0), ...told }).end()
    })
    scripted.script({ method: 'PATCH' }, async ({ request, response }) => {
      chunks.push((await bytesOf(request)).length)
      const last = chunks.reduce((sum, length) => sum + length) - 1
      response.writeHead(202, { location: locationOf(chunks.length), range: `0-${last}` }).end()
    })
    scripted.script({ method: 'PUT' }, ({ response }) => response.writeHead(201).end())
  }

  async function put(blob: Blob, manner: Manner = {}) {
    const { kept, checkpoint } = checkpointInMemory()
    const target = client.repository(REPOSITORY)
    const open = sourceOf(blob, manner).openAt
    const done = target.putBlobInChunks(blob.descriptor, open, checkpoint, SIGNAL)
    return { done: await done.catch((error: unknown) => error), kept }
  }

  it('is sent none that are smaller than its OCI-Chunk-Min-Length, but the last', async () => {
    takeChunks((count) => `/v2/team/large/blobs/uploads/${count}`, 10 * MIB)

    expect((await put(randomBlob(25 * MIB), { slow: true })).done).toBe(true)

    expect(chunks).toEqual([10 * MIB, 10 * MIB, 5 * MIB])
  })

  it('is sent much at once of what comes as fast as it takes it', async () => {
    takeChunks((count) => `/v2/team/large/blobs/uploads/${count}`)

    expect((await put(randomBlob(60 * MIB))).done).toBe(true)

    expect(chunks[0]).toBe(4 * MIB)
    expect(Math.max(...chunks)).toBeGreaterThan(16 * MIB)
  })

  it('is sent small chunks of what comes slowly', async () => {
    takeChunks((count) => `/v2/team/large/blobs/uploads/${count}`)

    expect((await put(randomBlob(17 * MIB), { slow: true })).done).toBe(true)

    expect(chunks).toEqual([4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB, MIB])
  })

  it.each(['nonsense', '-1', '0'])(
    'and says "%s" of how small is sent the usual ones',
    async (told) => {
      takeChunks((count) => `/v2/team/large/blobs/uploads/${count}`)
      scripted.script({ method: 'POST' }, ({ response }) => {
        const location = '/v2/team/large/blobs/uploads/0'
        response.writeHead(202, { location, 'oci-chunk-min-length': told }).end()
      })

      expect((await put(randomBlob(9 * MIB))).done).toBe(true)

      expect(chunks[0]).toBe(4 * MIB)
    },
  )

  it('is followed to where it says that the next one is to go', async () => {
    takeChunks((count) => `${count}?_state=${count}`)

    expect((await put(randomBlob(9 * MIB))).done).toBe(true)

    const sent = scripted.requests.filter(({ method }) => method === 'PATCH' || method === 'PUT')
    expect(sent.map(({ path }) => path.replace(/&digest=.*/, '')).slice(0, 2)).toEqual([
      '/v2/team/large/blobs/uploads/0?_state=0',
      '/v2/team/large/blobs/uploads/1?_state=1',
    ])
    expect(sent.at(-1)?.path).toContain(`${chunks.length}?_state=${chunks.length}&digest=sha256`)
  })

  it('is not followed to the metadata service of a cloud', async () => {
    takeChunks((count) => (count === 0 ? '0' : 'http://169.254.169.254/latest/meta-data'))

    expect((await put(randomBlob(9 * MIB))).done).toMatchObject({
      ...{ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' },
    })
  })

  it('and loses the upload in the middle is left nothing of it, and nothing to continue', async () => {
    takeChunks((count) => `/v2/team/large/blobs/uploads/${count}`)
    scripted.script({ method: 'PATCH', path: /uploads\/1$/ }, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(404).end()
    })

    const { done, kept } = await put(randomBlob(9 * MIB))

    expect(done).toMatchObject({ disposition: 'transient', status: 404 })
    expect(kept.state).toBeUndefined()
    expect(scripted.requests.at(-1)).toMatchObject({ method: 'DELETE' })
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
      .putBlobInChunks(
        randomBlob(40 * MIB).descriptor,
        openBody,
        checkpointInMemory().checkpoint,
        stop.signal,
      )
    const failure = failureOf(put)
    await eventually(() => scripted.requests.some(({ method }) => method === 'POST'))

    if (broken === undefined) stop.abort(new Error('the worker is stopping'))
    else body.destroy(broken)
    await eventually(() => body.destroyed)
    answer()

    expect(await failure).toMatchObject({ message: broken?.message ?? 'the worker is stopping' })
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
