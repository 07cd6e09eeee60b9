// engine-process.js UPSTREAM LOCAL REPOSITORY TAG…: copies, and ends. No Redis, no queue.
import type { RegistryConfig } from '../../src/config/config.ts'
import { openRegistry } from '../../src/registry/registry.ts'
import { BlobFlights } from '../../src/replication/graph/blob-flights.ts'
import { NO_LEDGER } from '../../src/replication/graph/blob-ledger.ts'
import { replicate } from '../../src/replication/replicate.ts'
import type { ReplicationRequest } from '../../src/replication/request.ts'
import { TransferSchedule } from '../../src/replication/pace/transfer-schedule.ts'
import { LOCAL_UPLOADS } from '../../workers/transfer-limits.ts'
import { tuneGarbageCollection } from '../../workers/tune-garbage-collection.ts'
import { requestFor } from './request.ts'

/** As a worker has them with the default configuration. */
const TRANSFERS = 8
const JOBS = 16

const [upstreamUrl = '', localUrl = '', repository = '', ...tags] = process.argv.slice(2)
tuneGarbageCollection()
const options = { userAgent: 'pullsync/bench' }
await using upstream = openRegistry(configOf('hq', upstreamUrl), options)
await using local = openRegistry(configOf('local', localUrl), options)
const schedule = new TransferSchedule({ upstream: () => TRANSFERS, local: () => LOCAL_UPLOADS })
const flights = new BlobFlights()
const waiting = tags.map((tag) => requestFor(repository, tag))
await Promise.all(Array.from({ length: JOBS }, runJobs))

async function runJobs(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next)
}

async function run(request: ReplicationRequest): Promise<void> {
  const outcome = await replicate(request, {
    source: () => upstream.repository(request.upstreamRepository),
    target: local.repository(request.repository),
    slots: (id) => schedule.slots(id, { urgency: 0, queuedAt: 0 }),
    flights,
    ledger: NO_LEDGER,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    log: () => undefined,
  })
  if (outcome.kind === 'copied' || outcome.kind === 'up-to-date') return
  throw new Error(`${request.repository}:${request.reference}: ${outcome.kind}`)
}

function configOf(id: string, url: string): RegistryConfig {
  return { id, url: new URL(url), trustedHosts: [] }
}
