import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../../src/registry/registry.ts'
import { CorruptBlobError } from '../../../src/registry/upload/verified-body.ts'
import { eventually } from '../../support/eventually.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../../support/process/go-program.ts'
import {
  type Blob,
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  SIGNAL,
} from '../contract-content.ts'
import { checkpointInMemory, MIB, REPOSITORY, sourceOf } from './interrupted.ts'

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
