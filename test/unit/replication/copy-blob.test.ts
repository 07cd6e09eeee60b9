import { expect, it } from 'vitest'
import type { Digest } from '../../../src/oci/digest.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { BlobFlights } from '../../../src/replication/blob-flights.ts'
import { type BlobLedger, NO_LEDGER } from '../../../src/replication/blob-ledger.ts'
import { copyBlob } from '../../../src/replication/copy-blob.ts'
import { Tally } from '../../../src/replication/tally.ts'
import { TransferSchedule } from '../../../src/replication/transfer-schedule.ts'
import { MemoryRegistry } from './memory-registry.ts'

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
  const [layer] = image.blobs.filter(({ mediaType }) => mediaType.includes('octet'))
  if (layer === undefined) throw new Error('the image has no layer')
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
    layer,
  )

  expect(tally.blobs).toMatchObject({ mounted: 1, copied: 0 })
  expect(upstream.asked).toEqual([])
})

/** Tells of a holder only from the second time on, as when it landed in between. */
class LateLedger implements BlobLedger {
  readonly landed = NO_LEDGER.landed.bind(NO_LEDGER)
  readonly notThere = NO_LEDGER.notThere.bind(NO_LEDGER)
  readonly isLeased = NO_LEDGER.isLeased.bind(NO_LEDGER)
  readonly lease = NO_LEDGER.lease.bind(NO_LEDGER)
  readonly checkpoint = NO_LEDGER.checkpoint.bind(NO_LEDGER)
  #asked = 0

  holders(_digest: Digest): Promise<readonly Repository[]> {
    this.#asked += 1
    return Promise.resolve(this.#asked === 1 ? [] : ['team/other' as Repository])
  }
}
