import { buffer } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import type { Descriptor } from '../../../../src/oci/descriptor.ts'
import type { Manifest } from '../../../../src/oci/manifest.ts'
import type { Repository } from '../../../../src/oci/reference.ts'
import { BlobFlights } from '../../../../src/replication/graph/blob-flights.ts'
import {
  type BlobLease,
  type BlobLedger,
  type KnownBlob,
  NO_LEDGER,
} from '../../../../src/replication/graph/blob-ledger.ts'
import { copyBlob } from '../../../../src/replication/graph/copy-blob.ts'
import type { Progress } from '../../../../src/replication/progress.ts'
import { Tally } from '../../../../src/replication/graph/tally.ts'
import { TransferSchedule } from '../../../../src/replication/pace/transfer-schedule.ts'
import { MemoryRegistry } from '../memory-registry.ts'

const ORDER = { urgency: 0, queuedAt: 0 }
const NEVER = new AbortController().signal

it('links a blob that another worker has brought meanwhile without holding a slot', async () => {
  const [upstream, local] = [
    new MemoryRegistry('hq', 'team/app'),
    new MemoryRegistry('local', 'team/app'),
  ]
  const elsewhere = new MemoryRegistry('local', 'team/other')
  const image = upstream.addImage('1.0', 'layer')
  elsewhere.addImage('1.0', 'layer')
  local.neighbours.set('team/other', elsewhere)
  const schedule = new TransferSchedule({ upstream: () => 1, local: () => 1 })
  const slots = schedule.slots('hq', ORDER)
  const asIfLinked = local.mountBlob.bind(local)
  local.mountBlob = async (digest, from) => {
    const transfer = { bytes: 1, uploads: true }
    await slots.run(transfer, NEVER, () => Promise.resolve('there is a free slot'))
    return await asIfLinked(digest, from)
  }
  const tally = new Tally(() => undefined)

  await copyBlob(
    {
      ...{ source: upstream, target: local, slots, tally, signal: NEVER },
      ...{ flights: new BlobFlights(), ledger: new LateLedger() },
    },
    layerOf(image),
  )

  expect(tally.blobs).toMatchObject({ mounted: 1, copied: 0 })
  expect(upstream.asked).toEqual([])
})

it('counts a blob once that the registry has to be sent twice', async () => {
  const { upstream, local, layer } = layerUpstream()
  local.bringBlob = async (blob, open) => {
    await buffer(await open(0, NEVER))
    await local.putBlob(blob, await open(0, NEVER))
    return 'copied'
  }
  const { tally, progress } = watchedTally()

  const size = 64 * 1024 * 1024
  await copyBlob({ ...around(tally), source: upstream, target: local }, { ...layer, size })

  expect(local.blobs.has(layer.digest)).toBe(true)
  expect(progress.map(({ bytes }) => bytes)).not.toContain(2 * layer.size)
  expect(progress.at(-1)).toMatchObject({ bytes: size, totalBytes: size, blobs: 1 })
})

it('takes the bytes of a blob back whose upload fails', async () => {
  const { upstream, local, layer } = layerUpstream()
  local.putBlob = async (_blob, body) => {
    await buffer(body)
    throw new Error('the registry went away')
  }
  const { tally, progress } = watchedTally()

  const copying = copyBlob({ ...around(tally), source: upstream, target: local }, layer)

  await expect(copying).rejects.toThrow('the registry went away')
  expect(progress.map(({ bytes }) => bytes)).toContain(layer.size)
  expect(progress.at(-1)).toMatchObject({ bytes: 0, blobs: 0, underWay: [] })
})

it('brings a blob itself that two others bring too slowly to be waited for, one of them in this process', async () => {
  const { upstream, local, layer } = layerUpstream()
  const now = performance.now.bind(performance)
  using _hurried = vi.spyOn(performance, 'now').mockImplementation(() => now() * 50)
  const flights = new BlobFlights()
  const other = {
    into: 'team/other' as Repository,
    state: { holder: 'here', origin: 'slow', bytes: 1 },
  }
  void flights.run(layer.digest, other, () => new Promise(() => undefined))
  let looks = 0
  const ledger: BlobLedger = {
    ...NO_LEDGER,
    // It has taken the lease of the one here for the same reason.
    look: async () => {
      looks += 1
      // As Redis answers; not for ever.
      await setImmediate()
      if (looks > 1_000) throw new Error('it asks again and again without a pause')
      return { holders: [], coming: { holder: 'there', origin: 'slow', bytes: 1 } }
    },
    lease: async (digest, state, instead) =>
      instead === 'there' ? await NO_LEDGER.lease(digest, state, instead) : undefined,
  }
  const { tally } = watchedTally()
  const signal = AbortSignal.timeout(15_000)

  await copyBlob(
    { ...around(tally), source: upstream, target: local, flights, ledger, signal },
    layer,
  )

  expect(tally.blobs).toMatchObject({ copied: 1 })
})

function layerUpstream() {
  const upstream = new MemoryRegistry('hq', 'team/app')
  const layer = layerOf(upstream.addImage('1.0', 'layer'))
  return { upstream, local: new MemoryRegistry('local', 'team/app'), layer }
}

function layerOf({ blobs }: Manifest): Descriptor {
  const layer = blobs.find(({ mediaType }) => mediaType.includes('octet'))
  if (layer === undefined) throw new Error('the image has no layer')
  return layer
}

function watchedTally() {
  const progress: Progress[] = []
  const tally = new Tally((now) => {
    progress.push(now)
  })
  return { tally, progress }
}

function around(tally: Tally) {
  const schedule = new TransferSchedule({ upstream: () => 1, local: () => 1 })
  const slots = schedule.slots('hq', ORDER)
  return { slots, flights: new BlobFlights(), ledger: NO_LEDGER, tally, signal: NEVER }
}

const LATE = ['team/other' as Repository]

/** Tells of a holder only from the second time on, as when it landed in between. */
class LateLedger implements BlobLedger {
  readonly landed = NO_LEDGER.landed.bind(NO_LEDGER)
  readonly notThere = NO_LEDGER.notThere.bind(NO_LEDGER)
  readonly givenBy = NO_LEDGER.givenBy.bind(NO_LEDGER)
  readonly checkpoint = NO_LEDGER.checkpoint.bind(NO_LEDGER)
  #asked = 0

  isGivenBy(): Promise<boolean> {
    return Promise.resolve(true)
  }

  look(): Promise<KnownBlob> {
    this.#asked += 1
    return Promise.resolve({ holders: this.#asked === 1 ? [] : LATE })
  }

  lease(): Promise<BlobLease> {
    const nothing = () => Promise.resolve()
    return Promise.resolve({ holders: LATE, landed: nothing, [Symbol.asyncDispose]: nothing })
  }
}
