import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../../src/oci/descriptor.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import type { Progress } from '../../../../src/replication/progress.ts'
import { Tally } from '../../../../src/replication/graph/tally.ts'

const [LAYER, CONFIG] = [blobOf('layer', 100), blobOf('config', 10)]

function blobOf(name: string, size: number): Descriptor {
  return { mediaType: 'application/octet-stream', digest: digestOf(Buffer.from(name)), size }
}

function watched() {
  let latest: Progress | undefined
  const tally = new Tally((progress) => {
    latest = progress
  })
  return { tally, now: () => latest }
}

describe('Tally', () => {
  it('tells of a blob while it comes, the oldest first, and no longer once it is there', () => {
    const { tally, now } = watched()
    for (const { size } of [LAYER, CONFIG]) tally.found(size)

    const layer = tally.begin(LAYER)
    const config = tally.begin(CONFIG)
    tally.fetched(layer, 60)
    tally.fetched(config, 10)

    expect(now()).toEqual({
      ...{ bytes: 70, totalBytes: 110, blobs: 0, totalBlobs: 2 },
      underWay: [
        { digest: LAYER.digest, bytes: 60, size: 100 },
        { digest: CONFIG.digest, bytes: 10, size: 10 },
      ],
    })
    tally.arrived(config)
    tally.blob('copied', CONFIG.size)
    expect(now()).toEqual({
      ...{ bytes: 70, totalBytes: 110, blobs: 1, totalBlobs: 2 },
      underWay: [{ digest: LAYER.digest, bytes: 60, size: 100 }],
    })
  })

  it('takes the bytes of a transfer that failed back, but remembers that they were fetched', () => {
    const { tally, now } = watched()
    tally.found(LAYER.size)
    const layer = tally.begin(LAYER)
    tally.startsAt(layer, 32)
    tally.fetched(layer, 60)
    expect(now()).toMatchObject({ bytes: 92 })

    tally.lost(layer)

    expect(now()).toMatchObject({ bytes: 0, underWay: [] })
    tally.fetched(layer, 7)
    expect(now()).toMatchObject({ bytes: 0, underWay: [] })
    expect(tally.fetchedBytes).toBe(67)
  })

  it('counts a blob once that is begun again in the middle of its transfer', () => {
    const { tally, now } = watched()
    const layer = tally.begin(LAYER)
    tally.startsAt(layer, 0)
    tally.fetched(layer, 60)

    tally.startsAt(layer, 0)
    tally.fetched(layer, 5)

    expect(now()).toMatchObject({ bytes: 5, underWay: [{ bytes: 5, size: 100 }] })
    expect(tally.fetchedBytes).toBe(65)
  })

  it('counts all of a blob that an earlier attempt had sent whole', () => {
    const { tally, now } = watched()

    tally.arrived(tally.begin(LAYER))

    expect(now()).toMatchObject({ bytes: 100, underWay: [] })
    expect(tally.fetchedBytes).toBe(0)
  })

  it('tells of the oldest alone where many come, and of the next when one is there', () => {
    const { tally, now } = watched()
    const blobs = Array.from({ length: 40 }, (_, n) => blobOf(`layer ${n}`, 1))
    const [oldest, ...others] = blobs.map((blob) => tally.begin(blob))
    const told = () => now()?.underWay.map(({ digest }) => digest)
    expect(told()).toEqual(blobs.slice(0, 16).map(({ digest }) => digest))

    if (oldest !== undefined) tally.arrived(oldest)

    expect(others).toHaveLength(39)
    expect(told()).toEqual(blobs.slice(1, 17).map(({ digest }) => digest))
  })
})
