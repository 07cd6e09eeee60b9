import { NO_LEDGER } from '../../../../src/replication/graph/blob-ledger.ts'
import { BlobFlights } from '../../../../src/replication/graph/blob-flights.ts'
import type { Outcome } from '../../../../src/replication/outcome.ts'
import { replicate } from '../../../../src/replication/replicate.ts'
import type { ReplicationRequest } from '../../../../src/replication/request.ts'
import { TransferSchedule } from '../../../../src/replication/pace/transfer-schedule.ts'
import type { TransferSlots } from '../../../../src/replication/pace/transfer-slots.ts'
import { replicationRequest } from '../../../support/given/replication-request.ts'
import { MemoryRegistry } from '../memory-registry.ts'

export const flights = new BlobFlights()

export function slotsOf(limit: number): TransferSlots {
  const schedule = new TransferSchedule({ upstream: () => limit, local: () => limit })
  return schedule.slots('hq', { urgency: 0, queuedAt: 0 })
}

export function upstreamAndLocal() {
  return {
    upstream: new MemoryRegistry('hq', 'team/app'),
    local: new MemoryRegistry('local', 'team/app'),
  }
}

export async function run(
  { upstream, local }: { upstream: MemoryRegistry; local: MemoryRegistry },
  changes: Partial<ReplicationRequest> = {},
  signal = new AbortController().signal,
): Promise<Outcome> {
  const request = replicationRequest({ referrers: true, ...changes })
  const slots = slotsOf(2)
  return await replicate(request, {
    source: () => upstream,
    target: local,
    slots: () => slots,
    flights,
    ledger: NO_LEDGER,
    signal,
    onProgress: () => undefined,
    log: () => undefined,
  })
}

export function multiArch(upstream: MemoryRegistry) {
  const amd64 = upstream.addImage(undefined, 'shared layer', 'amd64 layer')
  const arm64 = upstream.addImage(undefined, 'shared layer', 'arm64 layer')
  const index = upstream.addIndex('1.0', { 'linux/amd64': amd64, 'linux/arm64': arm64 })
  return { index, amd64, arm64 }
}
