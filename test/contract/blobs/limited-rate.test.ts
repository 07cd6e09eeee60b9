import { afterEach, beforeEach, expect, it } from 'vitest'
import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import { NO_LEDGER } from '../../../src/replication/graph/blob-ledger.ts'
import { copyBlob } from '../../../src/replication/graph/copy-blob.ts'
import { Tally } from '../../../src/replication/graph/tally.ts'
import { TransferRate } from '../../../src/replication/pace/transfer-rate.ts'
import type { TransferSlots } from '../../../src/replication/pace/transfer-slots.ts'
import { UsualRate } from '../../../src/replication/pace/usual-rate.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { eventually } from '../../support/eventually.ts'
import { ManualClock } from '../../support/given/manual-clock.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, failureOf, open, randomBlob, repository, SIGNAL } from '../contract-content.ts'

const STALL_MS = 150
// More than the buffers of two connections hold.
const { bytes, descriptor } = randomBlob(24 * 1024 * 1024)

let upstream: ScriptedRegistry
let local: ScriptedRegistry
let clients: Registry[]

beforeEach(async () => {
  upstream = await startScriptedRegistry()
  local = await startScriptedRegistry()
  clients = [upstream, local].map(({ url }, n) =>
    open(configFor(url, { id: n === 0 ? 'hq' : 'local' }), { stallTimeoutMs: STALL_MS }),
  )
})

afterEach(async () => {
  for (const part of [...clients, upstream, local]) await part[Symbol.asyncDispose]()
})

it('pauses the reader for longer than a stall may take, and nobody is called stalled', async () => {
  const [source, target] = clients.map((client) => client.repository(repository('team/app')))
  if (source === undefined || target === undefined) throw new Error('there are two')
  upstream.addBlob('team/app', bytes)
  const clock = new ManualClock()
  const slots: TransferSlots = {
    pace: new TransferRate(() => 1024 * 1024, clock),
    usual: new UsualRate(),
    run: (_transfer, _signal, work) =>
      work({ waitsWhile: () => undefined, moved: () => undefined }),
    extra: () => undefined,
    ask: (request) => request(),
  }
  let fetched = 0
  const tally = new Tally((progress) => {
    fetched = progress.bytes
  })

  const copying = copyBlob(
    {
      ...{ source, target, slots, tally, signal: SIGNAL },
      ...{ flights: new BlobFlights(), ledger: NO_LEDGER },
    },
    descriptor,
  )
  await eventually(() => clock.waiting === 1)
  const before = fetched
  for (let stalls = 0; stalls < 3; stalls += 1) await realStall()

  expect(fetched).toBe(before)
  expect(fetched).toBeLessThan(1024 * 1024)
  const timePasses = setInterval(() => {
    clock.advance(1_000)
  }, 1)
  await copying.finally(() => {
    clearInterval(timePasses)
  })
  expect(local.hasBlob('team/app', descriptor.digest)).toBe(true)
  expect(upstream.requests.filter(({ method }) => method === 'GET')).toHaveLength(1)
})

/** Takes as long as a stall of somebody who really stalls. */
async function realStall(): Promise<void> {
  local.script({ method: 'HEAD', path: /stalled/ }, () => undefined)
  const stalled = clients[1]?.repository(repository('team/stalled'))
  const failure = await failureOf(Promise.resolve(stalled?.hasBlob(descriptor.digest, SIGNAL)))
  expect(failure).toMatchObject({ networkCode: 'STALLED' })
}
