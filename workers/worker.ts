import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { RootOptions } from '../src/cli/roots.ts'
import { Stack } from '../src/lifecycle/stack.ts'
import { untilAborted } from '../src/lifecycle/until-aborted.ts'
import { openConfig } from '../src/open-config.ts'
import { openWorkerConnection, ownAddress } from '../src/queue/connection.ts'
import { ResyncWorker } from '../src/queue/resync-worker.ts'
import { OnTheWay } from '../src/queue/on-the-way.ts'
import { PullAllowances } from '../src/queue/pull-allowance.ts'
import { Presence } from '../src/queue/presence.ts'
import { ReplicationQueues } from '../src/queue/queues.ts'
import { RedisBlobLedger } from '../src/queue/redis-blob-ledger.ts'
import { redisUrlOf } from '../src/redis-url.ts'
import { BlobFlights } from '../src/replication/blob-flights.ts'
import { openTelemetry } from '../src/telemetry/telemetry.ts'
import { VERSION } from '../src/version.ts'
import { startWorkerAdmin } from './admin.ts'
import { OpenRegistries } from '../src/open-registries.ts'
import { replicateJob } from './replicate-job.ts'
import { reportingListener } from './report-jobs.ts'
import { LOCAL, transferSchedule } from './transfer-limits.ts'
import { tuneGarbageCollection } from './tune-garbage-collection.ts'
import { WorkerSpool } from './worker-spool.ts'
import { Resync } from './resync.ts'
import { UpstreamWorkers } from './upstream-workers.ts'

/** Docker kills after ten seconds; until then short copies finish, and long ones are handed back. */
const GRACE_MS = 8_000

/** The composition root of the worker process. Resolves after a graceful stop. */
export async function runWorker(options: RootOptions): Promise<void> {
  const { signal, configFile, adminListen, telemetry = openTelemetry(process.env) } = options
  const { reporter } = telemetry
  tuneGarbageCollection()
  await using stack = new Stack()
  const live = stack.use(await openConfig(configFile, reporter))
  const config = live.current()
  const url = redisUrlOf(options, config)
  const listener = reportingListener(reporter)
  const onError = listener.connectionError
  const { jobs, misses } = config
  const upstreams = config.upstreams.keys()
  const queues = stack.use(new ReplicationQueues({ url, upstreams, jobs, misses, onError }))
  const connection = openWorkerConnection(url, onError)
  stack.defer(() => {
    connection.disconnect()
  })
  const presence = stack.use(new Presence(connection, workerId(), onError))
  const allowances = stack.use(new PullAllowances(queues.redis, listener))
  const registries = stack.use(new OpenRegistries(config, allowances.note))
  await presence.join(LOCAL)
  const schedule = transferSchedule(() => live.current(), presence)
  presence.onChange(() => {
    schedule.startWaiting()
  })
  const onTheWay = new OnTheWay(queues.redis, onError)
  const host = await ownAddress(queues.redis)
  const { spools: here } = options
  const publicity = { onTheWay, ...(here && { here }) }
  const spool = await WorkerSpool.open(host, publicity, (folder, error) => {
    reporter.spoolRefused({ folder, error })
  })
  if (spool !== undefined) stack.use(spool)
  const replicate = replicateJob({
    registries,
    onTheWay,
    spool,
    flights: new BlobFlights(),
    // On the connection that fails fast: a copy must not wait for Redis.
    ledger: new RedisBlobLedger(queues.redis, onError),
    schedule,
  })
  const resync = new Resync({ config: () => live.current(), registries, queues, reporter })
  stack.use(new ResyncWorker({ connection, walk: resync.walk, onError }))
  const workers = new UpstreamWorkers(config, { queues, connection, presence, replicate, listener })
  live.onChange(({ config: changed }) => {
    queues.configure(changed.upstreams.keys(), changed)
    registries.configure(changed)
    void workers.configure(changed)
    schedule.startWaiting()
  })
  if (adminListen !== undefined) {
    stack.use(await startWorkerAdmin(adminListen, { telemetry, queues }))
  }
  await workers.configure(config)
  reporter.processStarted({ process: 'worker', version: VERSION, upstreams: queues.upstreams })
  await untilAborted(signal)
  reporter.processStopping({ process: 'worker', reason: 'asked to' })
  await workers.stop(GRACE_MS)
}

function workerId(): string {
  return `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
}
