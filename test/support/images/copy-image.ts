import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import { type BlobLedger, NO_LEDGER } from '../../../src/replication/graph/blob-ledger.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import { replicate } from '../../../src/replication/replicate.ts'
import { TransferSchedule } from '../../../src/replication/pace/transfer-schedule.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { replicationRequest } from '../given/replication-request.ts'

export interface Between {
  readonly from: Registry
  readonly to: Registry
  /** What it knows of other workers; nothing unless told. */
  readonly ledger?: BlobLedger
  /** What its process is doing beside it; nothing unless told. */
  readonly flights?: BlobFlights
  readonly signal?: AbortSignal
}

/** Runs one request as a worker of its own would. */
export async function copyImage(
  {
    from,
    to,
    ledger = NO_LEDGER,
    flights = new BlobFlights(),
    signal = new AbortController().signal,
  }: Between,
  changes: Parameters<typeof replicationRequest>[0] = {},
): Promise<Outcome> {
  const request = replicationRequest(changes)
  const schedule = new TransferSchedule({ upstream: () => 4, local: () => 4 })
  return await replicate(request, {
    source: () => from.repository(request.upstreamRepository),
    target: to.repository(request.repository),
    slots: (upstream) => schedule.slots(upstream, { urgency: 0, queuedAt: 0 }),
    flights,
    ledger,
    signal,
    onProgress: () => undefined,
    log: () => undefined,
  })
}
