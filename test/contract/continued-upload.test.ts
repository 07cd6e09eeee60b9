import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import { CorruptBlobError } from '../../src/registry/upload/verified-body.ts'
import type { UploadCheckpoint, UploadState } from '../../src/replication/ports.ts'
import { untilAborted } from '../../src/waiting/until-aborted.ts'
import { eventually } from '../support/eventually.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { goProgram, missingProgram } from '../support/go-program.ts'
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
  /** Where no more comes, and no end. */
  readonly stopsAt?: number
  /** Called before the piece at that offset. */
  readonly passing?: (at: number) => void
}

const PIECE = 256 * 1024

/** The blob's bytes, noting from which offsets it was read. */
function sourceOf({ bytes }: Blob, manner: Manner = {}) {
  const { until = bytes.length, stopsAt = Infinity, passing } = manner
  const offsets: number[] = []
  const stop = new AbortController()
  const openAt = (offset: number, signal: AbortSignal) => {
    offsets.push(offset)
    const body = Readable.from(
      (async function* () {
        for (let at = offset; at < until; at += PIECE) {
          if (at >= stopsAt) await stopped(stop)
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
  return { offsets, openAt, stopped: untilAborted(stop.signal) }
}

/** Says so, and never goes on. */
async function stopped(stop: AbortController): Promise<void> {
  stop.abort()
  await new Promise(() => undefined)
}

describe('the upload of a large blob', () => {
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

    await target.bringBlob(blob.descriptor, sourceOf(blob).openAt, SIGNAL, { checkpoint })

    expect((await bytesOf(await target.getBlob(blob.descriptor, SIGNAL))).equals(blob.bytes)).toBe(
      true,
    )
    expect(kept.state).toBeUndefined()
  })

  it('is continued by another worker from where its body broke', async () => {
    const blob = randomBlob(20 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(blob, { until: 13 * MIB })
    await failureOf(worker().bringBlob(blob.descriptor, broken.openAt, SIGNAL, { checkpoint }))
    const reached = kept.state?.offset
    expect(reached).toBeGreaterThan(12 * MIB)

    const rest = sourceOf(blob)
    const target = worker()
    await target.bringBlob(blob.descriptor, rest.openAt, SIGNAL, { checkpoint })

    expect(rest.offsets).toEqual([reached])
    expect((await bytesOf(await target.getBlob(blob.descriptor, SIGNAL))).equals(blob.bytes)).toBe(
      true,
    )
  })

  it('is committed without another byte when all had arrived', async () => {
    const blob = randomBlob(8 * MIB)
    const begun = await fetch(`${registry.url}/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' })
    const body = new Uint8Array(blob.bytes)
    const sent = await fetch(begun.headers.get('location') ?? '', { method: 'PATCH', body })
    const location = sent.headers.get('location') ?? ''
    const { checkpoint } = checkpointInMemory({ location, offset: 0 })
    const rest = sourceOf(blob)
    const target = worker()

    await target.bringBlob(blob.descriptor, rest.openAt, SIGNAL, { checkpoint })

    expect(rest.offsets).toEqual([])
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
  })

  it('is begun again when the registry does not know it any more', async () => {
    const blob = randomBlob(5 * MIB)
    const lost = `${registry.url}/v2/${REPOSITORY}/blobs/uploads/00000000-0000-0000-0000-000000000000?_state=x`
    const { checkpoint } = checkpointInMemory({
      location: lost,
      offset: 4 * MIB,
    })
    const source = sourceOf(blob)
    const target = worker()

    await target.bringBlob(blob.descriptor, source.openAt, SIGNAL, { checkpoint })

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
      target.bringBlob(blob.descriptor, sourceOf(spoil(blob)).openAt, SIGNAL, { checkpoint }),
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
      worker().bringBlob(blob.descriptor, source.openAt, stop.signal, { checkpoint }),
    )

    expect(failure).toMatchObject({ message: 'the worker is stopping' })
    expect(kept.state?.offset).toBeGreaterThan(8 * MIB)
    const rest = sourceOf(blob)
    const target = worker()
    await target.bringBlob(blob.descriptor, rest.openAt, SIGNAL, { checkpoint })
    expect(rest.offsets[0] ?? blob.bytes.length).toBeGreaterThan(8 * MIB)
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
  })

  it('of which the upstream breaks late is continued from there', async () => {
    const blob = randomBlob(60 * MIB)
    const { kept, checkpoint } = checkpointInMemory()
    const broken = sourceOf(blob, { until: 50 * MIB })

    const failure = await failureOf(
      worker().bringBlob(blob.descriptor, broken.openAt, SIGNAL, { checkpoint }),
    )

    expect(failure).toMatchObject({ message: 'the upstream broke' })
    expect(kept.state?.offset).toBeGreaterThan(40 * MIB)
    const reached = kept.state?.offset
    const rest = sourceOf(blob)
    await worker().bringBlob(blob.descriptor, rest.openAt, SIGNAL, { checkpoint })
    expect(rest.offsets).toEqual([reached])
  })

  it('of a body that ends early is the fault of that body', async () => {
    const blob = randomBlob(60 * MIB)
    const short = { ...blob, bytes: blob.bytes.subarray(0, 50 * MIB) }

    const failure = await failureOf(
      worker().bringBlob(blob.descriptor, sourceOf(short).openAt, SIGNAL, {
        checkpoint: checkpointInMemory().checkpoint,
      }),
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
    await failureOf(worker().bringBlob(blob.descriptor, broken.openAt, SIGNAL, { checkpoint }))
    const target = worker()

    const failure = await failureOf(
      target.bringBlob(blob.descriptor, sourceOf(blob).openAt, SIGNAL, { checkpoint }),
    )

    expect(failure).toMatchObject({ disposition: 'transient', status: 400 })
    expect(kept.state).toBeUndefined()
    expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(false)
  })
})

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

describe('a worker that is killed in the middle of a request', () => {
  const program = goProgram('distribution3')

  it.skipIf(program === undefined)(
    `leaves distribution 3 what came of it, for whoever has its checkpoint${missingProgram('distribution3')}`,
    async () => {
      await using registry = await startRegistry({ program })
      const blob = randomBlob(9 * MIB)
      const { kept, checkpoint } = checkpointInMemory()
      const killed = open(configFor(registry.url))
      const stuck = sourceOf(blob, { stopsAt: 6 * MIB })
      const first = killed.repository(REPOSITORY)
      const failure = failureOf(
        first.bringBlob(blob.descriptor, stuck.openAt, SIGNAL, {
          checkpoint: { ...checkpoint, clear: () => Promise.resolve() },
        }),
      )
      await stuck.stopped
      await eventually(async () => (await uploadedBytes(registry.storageFolder)) > 5 * MIB)
      // As the end of a process: its connections are cut.
      await killed[Symbol.asyncDispose]()
      await failure
      expect(kept.state?.offset).toBe(0)

      await using client = open(configFor(registry.url))
      const rest = sourceOf(blob)
      const target = client.repository(REPOSITORY)
      await target.bringBlob(blob.descriptor, rest.openAt, SIGNAL, { checkpoint })

      expect(rest.offsets[0]).toBeGreaterThan(4 * MIB)
      expect(await target.hasBlob(blob.descriptor.digest, SIGNAL)).toBe(true)
    },
  )
})

/** What of an upload is in files of that registry. */
async function uploadedBytes(storageFolder: string): Promise<number> {
  const names = await readdir(storageFolder, { recursive: true })
  const uploads = names.filter((name) => /_uploads\/[^/]+\/data$/.test(name))
  const files = await Promise.all(uploads.map((name) => stat(join(storageFolder, name))))
  return files.reduce((sum, { size }) => sum + size, 0)
}
