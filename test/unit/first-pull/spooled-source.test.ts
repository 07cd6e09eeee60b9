import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import type { ContentSource, HowToFetch } from '../../../src/replication/ports.ts'
import { SpoolFile } from '../../../src/spool/spool-file.ts'
import { SpooledBlob } from '../../../src/spool/spooled-blob.ts'
import { spooledSource } from '../../../src/first-pull/spooled-source.ts'
import { inPieces } from '../../support/network/in-pieces.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'

const BYTES = randomBytes(32 * 1024 * 1024)
const BLOB: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: digestOf(BYTES),
  size: BYTES.length,
}
const SIGNAL = new AbortController().signal

describe('a source with a spool', () => {
  let folder: TempFolder
  let spooled: SpooledBlob
  let asked: number[]

  beforeEach(async () => {
    folder = await tempFolder('spooled-source')
    spooled = new SpooledBlob(await SpoolFile.create(join(folder.path, 'blob'), 0))
    asked = []
  })

  afterEach(async () => {
    await spooled.letGo((file) => file.close())
    await folder[Symbol.asyncDispose]()
  })

  function source(): ContentSource {
    const upstream: ContentSource = {
      registry: 'hq',
      headManifest: () => Promise.resolve(undefined),
      getManifest: () => Promise.resolve(undefined),
      listReferrers: () => Promise.resolve([]),
      listReferrersByApi: () => Promise.resolve([]),
      givesBlob: () => Promise.resolve(true),
      getBlob: (_, __, { offset = 0 } = {}) => {
        asked.push(offset)
        return Promise.resolve(Readable.from(inPieces(BYTES.subarray(offset))))
      },
    }
    const spool = {
      add: () => Promise.resolve(spooled),
      release: () => Promise.resolve(),
      arrivals: { bytes: 0 },
    }
    return spooledSource(upstream, { spool, origin: 'hq/team/app' })
  }

  async function fetched(how: HowToFetch = {}): Promise<boolean> {
    const body = await source().getBlob(BLOB, SIGNAL, how)
    return (await buffer(body)).equals(BYTES.subarray(how.offset ?? 0))
  }

  async function holding(bytes: Buffer): Promise<void> {
    for (const piece of inPieces(bytes)) {
      spooled.append(piece)
      await spooled.drained()
    }
  }

  it('asks upstream for what is not there, and says from where on', async () => {
    await holding(BYTES.subarray(0, 1_000_000))
    const startedAt: number[] = []

    expect(await fetched({ startsAt: (offset) => startedAt.push(offset) })).toBe(true)

    expect(asked).toEqual([1_000_000])
    expect(startedAt).toEqual([1_000_000])
  })

  it('asks upstream for nothing when all is there', async () => {
    await holding(BYTES)
    await spooled.end(true)

    expect(await fetched({ offset: 500 })).toBe(true)

    expect(asked).toEqual([])
  })

  it('asks upstream for all that is wanted when all was there but has made room', async () => {
    await holding(BYTES)
    await spooled.end(true)
    await spooled.letGo((file) => file.close())
    const startedAt: number[] = []

    expect(await fetched({ offset: 500, startsAt: (offset) => startedAt.push(offset) })).toBe(true)

    expect(asked).toEqual([500])
    expect(startedAt).toEqual([])
  })
})
