import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../src/registry/registry.ts'
import type { UploadRecords } from '../../src/registry/words/upload-records.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { refuse, startScriptedRegistry } from '../support/registry/scripted-registry.ts'
import {
  type Blob,
  configFor,
  failureOf,
  open,
  randomBlob,
  repository,
  SIGNAL,
} from './contract-content.ts'

const PIECE_BYTES = 64 * 1024

let registry: TestRegistry
let client: Registry

beforeEach(async () => {
  registry = await startRegistry()
  client = open(configFor(registry.url))
})

afterEach(async () => {
  await client[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

/** Files with the bytes of uploads that were neither finished nor cancelled. */
async function uploadsLeft(): Promise<readonly string[]> {
  const files = await readdir(registry.storageFolder, { recursive: true }).catch(() => [])
  return files.filter((file) => file.includes('_uploads') && basename(file) === 'data')
}

async function* piecesOf({ bytes }: Blob, until: number, then: () => Promise<void>) {
  for (let at = 0; at < until; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
  await then()
}

async function untilSome(): Promise<void> {
  await eventually(async () => (await uploadsLeft()).length > 0, {
    describe: 'the registry to have some of it',
  })
}

describe.each([
  ['a large blob', 17_000_000, 9_000_000],
  ['a small blob', 600_000, 200_000],
])('%s', (_, size, until) => {
  const blob = randomBlob(size)
  const put = (body: Readable, signal = SIGNAL) =>
    client.repository(repository('team/app')).putBlob(blob.descriptor, body, signal)

  it('that breaks off leaves nothing in the registry', async () => {
    const broken = piecesOf(blob, until, async () => {
      if (size > 1_000_000) await untilSome()
      throw new Error('the upstream broke')
    })

    expect(await failureOf(put(Readable.from(broken)))).toMatchObject({
      message: 'the upstream broke',
    })
    expect(await uploadsLeft()).toEqual([])
  })

  it('that is given up leaves nothing in the registry', async () => {
    const given = new AbortController()
    const reason = new Error('asked to stop')
    const body = new Readable({ read: () => undefined })
    body.push(blob.bytes.subarray(0, until))
    const failure = failureOf(put(body, given.signal))
    if (size > 1_000_000) await untilSome()
    given.abort(reason)

    expect(await failure).toBe(reason)
    expect(await uploadsLeft()).toEqual([])
  })

  it('of other bytes leaves nothing in the registry', async () => {
    const other = randomBlob(size)

    expect(
      await failureOf(put(Readable.from(piecesOf(other, size, () => Promise.resolve())))),
    ).toHaveProperty('name', 'CorruptBlobError')
    expect(await uploadsLeft()).toEqual([])
  })
})

function recorder() {
  const told: string[] = []
  const uploads: UploadRecords = {
    begin: () => ({
      at: ({ pathname }) => told.push(pathname),
      keep: () => told.push('kept'),
      [Symbol.dispose]: () => told.push('over'),
    }),
  }
  return { told, uploads }
}

const UPLOAD = expect.stringContaining('/v2/team/app/blobs/uploads/') as string

it.each([
  ['a small blob', 600_000],
  ['a large blob', 2_000_000],
])(
  'the upload of %s is kept for another try where the registry does not cancel it now',
  async (_, size) => {
    await using away = await startScriptedRegistry()
    away.script({ method: 'DELETE' }, ({ response }) => response.writeHead(503).end())
    const { told, uploads } = recorder()
    await using remembering = open(configFor(away.url), { uploads })
    const blob = randomBlob(size)
    const broken = piecesOf(blob, 200_000, () => Promise.reject(new Error('the upstream broke')))
    const to = remembering.repository(repository('team/app'))

    await failureOf(to.putBlob(blob.descriptor, Readable.from(broken), SIGNAL))

    expect(told).toEqual([UPLOAD, 'kept', 'over'])
  },
)

it('an upload is kept for nobody where the registry never cancels one', async () => {
  await using unable = await startScriptedRegistry()
  unable.script({ method: 'DELETE' }, ({ response }) => {
    refuse(response, 405, 'UNSUPPORTED')
  })
  const { told, uploads } = recorder()
  await using remembering = open(configFor(unable.url), { uploads })
  const blob = randomBlob(2_000_000)
  const broken = piecesOf(blob, 200_000, () => Promise.reject(new Error('the upstream broke')))
  const to = remembering.repository(repository('team/app'))

  await failureOf(to.putBlob(blob.descriptor, Readable.from(broken), SIGNAL))

  expect(told).toEqual([UPLOAD, 'over'])
})

it.each([
  ['a small blob that its upstream is slow to give', 600_000],
  ['a large blob', 2_000_000],
])('the upload of %s is remembered while it lasts', async (_, size) => {
  const { told, uploads } = recorder()
  const blob = randomBlob(size)
  const body = new Readable({ read: () => undefined })
  body.push(blob.bytes.subarray(0, 200_000))
  await using remembering = open(configFor(registry.url), { uploads })
  const put = remembering.repository(repository('team/app')).putBlob(blob.descriptor, body, SIGNAL)

  await eventually(() => told.length > 0)
  expect(told).toEqual([UPLOAD])

  body.push(blob.bytes.subarray(200_000))
  body.push(null)
  await put
  expect(told.slice(1)).toEqual(['over'])
})

const program = goProgram('distribution3')

it.skipIf(program === undefined)(
  `an upload is cancelled although the registry was started again since${missingProgram('distribution3')}`,
  async () => {
    await using newer = await startRegistry({ program })
    await using asking = open(configFor(newer.url))
    const begun = await fetch(`${newer.url}/v2/team/app/blobs/uploads/`, { method: 'POST' })
    const at = new URL(begun.headers.get('location') ?? '', newer.url)
    await newer.stop()
    await newer.start()

    expect(await asking.repository(repository('team/app')).cancelUpload(at)).toBe(true)

    const entries = await readdir(newer.storageFolder, { recursive: true })
    expect(entries.filter((path) => /_uploads\/[^/]+\/data$/.test(path))).toEqual([])
  },
)
