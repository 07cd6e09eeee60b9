import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Digest } from '../../../src/oci/digest.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import {
  type BlobLease,
  type BlobLedger,
  type KnownBlob,
  NO_LEDGER,
} from '../../../src/replication/graph/blob-ledger.ts'
import type { TransferState } from '../../../src/replication/pace/patience.ts'
import { replicate } from '../../../src/replication/replicate.ts'
import { TransferSchedule } from '../../../src/replication/pace/transfer-schedule.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { MemoryRegistry } from './memory-registry.ts'

/** What several workers know together, as Redis has it. */
class SharedLedger implements BlobLedger {
  readonly checkpoint = NO_LEDGER.checkpoint.bind(NO_LEDGER)
  readonly #leases = new Map<Digest, TransferState>()
  readonly #given = new Set<Digest>()
  readonly #holders = new Map<Digest, readonly Repository[]>()

  look(digest: Digest): Promise<KnownBlob> {
    const coming = this.#leases.get(digest)
    return Promise.resolve({ holders: this.#holdersOf(digest), ...(coming && { coming }) })
  }

  landed(digest: Digest, repository: Repository): Promise<void> {
    this.#holders.set(digest, [repository, ...this.#holdersOf(digest)])
    return Promise.resolve()
  }

  notThere(digest: Digest, repository: Repository): Promise<void> {
    const others = this.#holdersOf(digest).filter((each) => each !== repository)
    this.#holders.set(digest, others)
    return Promise.resolve()
  }

  isGivenBy(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.#given.has(digest))
  }

  givenBy(digest: Digest): Promise<void> {
    this.#given.add(digest)
    return Promise.resolve()
  }

  lease(digest: Digest, state: TransferState): Promise<BlobLease | undefined> {
    if (this.#leases.has(digest)) return Promise.resolve(undefined)
    this.#leases.set(digest, state)
    const end = () => Promise.resolve(void this.#leases.delete(digest))
    const landed = async (repository: Repository) => {
      await this.landed(digest, repository)
      await this.givenBy(digest)
      await end()
    }
    const holders = this.#holdersOf(digest)
    return Promise.resolve({ holders, landed, [Symbol.asyncDispose]: end })
  }

  #holdersOf(digest: Digest): readonly Repository[] {
    return this.#holders.get(digest) ?? []
  }
}

const image = fc.record({
  layers: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 }),
  worker: fc.nat({ max: 2 }),
})

it('copies that share blobs all end, with one fetch per blob, however few the slots', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(image, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      async (all, few) => {
        const upstream = new MemoryRegistry('hq', 'team/app')
        upstream.beforeBlob = () => new Promise(setImmediate)
        const limit = 1 + (few % 3)
        const ledger = new SharedLedger()
        const workers = Array.from({ length: 3 }, () => ({
          flights: new BlobFlights(),
          schedule: new TransferSchedule({ upstream: () => limit, local: () => limit }),
        }))
        const locals = all.map((_, n) => new MemoryRegistry('local', `team/app-${n}`))
        for (const local of locals) {
          for (const other of locals) local.neighbours.set(other.repository, other)
        }

        const outcomes = all.map(({ layers, worker }, n) => {
          upstream.addImage(`v${n}`, ...layers)
          const { flights, schedule } = workers[worker] ?? workers[0] ?? never()
          const target = locals[n] ?? never()
          return replicate(
            replicationRequest({ reference: `v${n}`, repository: target.repository }),
            {
              ...{ source: () => upstream, target, flights, ledger },
              slots: (id) => schedule.slots(id, { urgency: 0, queuedAt: n }),
              signal: new AbortController().signal,
              ...{ onProgress: () => undefined, log: () => undefined },
            },
          )
        })

        expect((await Promise.all(outcomes)).every(({ kind }) => kind === 'copied')).toBe(true)
        const fetched = upstream.asked.filter((asked) => asked.startsWith('GET blob'))
        expect(fetched).toHaveLength(new Set(fetched).size)
      },
    ),
    { numRuns: 40 },
  )
})

function never(): never {
  throw new Error('there are as many as there are images')
}
