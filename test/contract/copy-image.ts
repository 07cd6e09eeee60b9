import { BlobFlights } from '../../src/replication/blob-flights.ts'
import { type BlobLedger, NO_LEDGER } from '../../src/replication/blob-ledger.ts'
import type { Outcome } from '../../src/replication/outcome.ts'
import { replicate } from '../../src/replication/replicate.ts'
import { TransferSchedule } from '../../src/replication/transfer-schedule.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { replicationRequest } from '../support/replication-request.ts'
import { SIGNAL } from './contract-content.ts'

export interface Between {
  readonly from: Registry
  readonly to: Registry
  readonly ledger?: BlobLedger
}

/** Runs one request as a worker of its own would. */
export async function copyImage(
  { from, to, ledger = NO_LEDGER }: Between,
  changes: Parameters<typeof replicationRequest>[0] = {},
): Promise<Outcome> {
  const request = replicationRequest(changes)
  const schedule = new TransferSchedule({ upstream: () => 4, local: () => 4 })
  return await replicate(request, {
    source: () => from.repository(request.upstreamRepository),
    target: to.repository(request.repository),
    slots: (upstream) => schedule.slots(upstream, { urgency: 0, queuedAt: 0 }),
    flights: new BlobFlights(),
    ledger,
    signal: SIGNAL,
    onProgress: () => undefined,
    log: () => undefined,
  })
}
