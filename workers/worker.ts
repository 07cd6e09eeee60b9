import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { RootOptions } from '../src/cli/root-options.ts'
import type { Config } from '../src/config/config.ts'
import type { LiveConfig } from '../src/config/live-config.ts'
import { Stack } from '../src/lifecycle/stack.ts'
import { stopReason } from '../src/lifecycle/stop-signal.ts'
import { inTime } from '../src/waiting/in-time.ts'
import { untilAborted } from '../src/waiting/until-aborted.ts'
import { openConfig } from '../src/roots/open-config.ts'
import { Breakers } from '../src/pool/breaker.ts'
import { openWorkerConnection, ownAddress } from '../src/pool/connection.ts'
import { ResyncWorker, type ResyncWorkerOptions } from '../src/queue/resync/resync-worker.ts'
import { LocalPolicies } from '../src/pool/gateways/local-policies.ts'
import { InFlight } from '../src/pool/in-flight.ts'
import { Figures } from '../src/pool/figures.ts'
import { Stories } from '../src/pool/stories/stories.ts'
import { OpenUploads } from '../src/pool/open-uploads.ts'
import { PullAllowances } from '../src/pool/pull-allowance.ts'
import { Presence } from '../src/pool/presence.ts'
import { ReplicationQueues } from '../src/queue/queues.ts'
import { SetBackClock } from '../src/queue/set-back-clock.ts'
import { RedisBlobLedger } from '../src/pool/redis-blob-ledger.ts'
import { watchOpenFiles } from '../src/roots/open-files.ts'
import { FigureRecording, recordStories } from '../src/roots/record-figures.ts'
import { suitableRedis } from '../src/roots/redis-url.ts'
import { BlobFlights } from '../src/replication/graph/blob-flights.ts'
import type { TransferSchedule } from '../src/replication/pace/transfer-schedule.ts'
import type { Reporter } from '../src/telemetry/reports/report.ts'
import { libraryLines } from '../src/telemetry/library-lines.ts'
import { beginWork } from '../src/telemetry/known-labels.ts'
import { openTelemetry, type Telemetry } from '../src/telemetry/telemetry.ts'
import { VERSION } from '../src/version.ts'
import { startWorkerAdmin } from './admin.ts'
import { OpenRegistries } from '../src/roots/open-registries.ts'
import { cancelLeftUploads } from './cancel-left-uploads.ts'
import { replicateJob } from './replicate-job.ts'
import { ReferrerNews } from './referrer-news.ts'
import { reportingListener } from './report-jobs.ts'
import { tracedJob } from './traced-job.ts'
import { LOCAL, transferSchedule } from './transfer-limits.ts'
import { tuneGarbageCollection } from './tune-garbage-collection.ts'
import { type Publicity, WorkerSpool } from '../src/first-pull/worker-spool.ts'
import { CatchUp, type CatchUpParts } from './catch-up.ts'
import { Resync, type ResyncParts } from './resync.ts'
import { UpstreamWorkers } from './upstream-workers.ts'

/** Docker kills after ten seconds; until then short copies finish, and long ones are handed back. */
const GRACE_MS = 8_000

const REDIS_WITHIN_MS = 1_000

/** The composition root of the worker process. Resolves after a graceful stop. */
export async function runWorker(options: RootOptions): Promise<void> {
  const { signal, configFile, adminListen, telemetry = openTelemetry(process.env) } = options
  const { reporter } = telemetry
  tuneGarbageCollection()
  await using stack = new Stack()
  stack.use(libraryLines(reporter))
  const live = stack.use(await openConfig(configFile, reporter))
  if (options.spools === undefined) watchOpenFiles(['worker'], live, reporter)
  const url = await suitableRedis({ ...options, reporter }, live.current())
  // Without Redis, all that is started now would have to be waited for.
  if (signal.aborted) return
  const config = live.current()
  const listener = reportingListener(reporter)
  const onError = listener.connectionError
  const upstreams = config.upstreams.keys()
  const queues = stack.use(new ReplicationQueues({ ...config, url, upstreams, onError }))
  recordFigures(stack, queues, options.telemetry === undefined ? telemetry : undefined)
  const connection = openWorkerConnection(url, onError)
  stack.defer(connection.disconnect.bind(connection))
  const presence = stack.use(new Presence(connection, workerId(), onError))
  const allowances = stack.use(new PullAllowances(queues.redis, listener))
  const breakers = new Breakers(connection, () => live.current().outages)
  const uploads = stack.use(new OpenUploads(queues.redis, onError))
  const mayRepeat = (id: string) => breakers.mayRepeat(id)
  const registries = stack.use(new OpenRegistries(config, allowances.note, mayRepeat, uploads))
  await soon(presence.join(LOCAL), signal)
  const schedule = transferSchedule(() => live.current(), presence)
  presence.onChange(schedule.startWaiting.bind(schedule))
  const inFlight = new InFlight(queues.redis, onError)
  const publicity = { inFlight, ...(options.spools && { here: options.spools }) }
  const spool = openSpool(queues, config, { publicity, reporter, stack })
  const known = memories(queues, onError)
  stack.use(cancelLeftUploads({ uploads, registries, ledger: known.ledger }))
  const job = replicateJob({
    registries,
    inFlight,
    ...known,
    spool,
    flights: new BlobFlights(),
    schedule,
  })
  const walks = { config: () => live.current(), registries, queues, reporter }
  stack.use(new ResyncWorker({ connection, ...walksOf(walks), onError }))
  const workers = new UpstreamWorkers(config, {
    ...{ queues, connection, presence, breakers, listener },
    replicate: tracedJob(job),
  })
  follow(live, config, { queues, registries, schedule, workers, onError })
  stack.use(new SetBackClock({ connection, upstreams: () => queues.upstreams, onError }))
  beginCounting(live, telemetry)
  if (adminListen !== undefined) {
    stack.use(await startWorkerAdmin(adminListen, { telemetry, queues }))
  }
  await soon(workers.configure(live.current()), signal)
  reporter.processStarted({ process: 'worker', version: VERSION, upstreams: queues.upstreams })
  await untilAborted(signal)
  reporter.processStopping({ process: 'worker', reason: stopReason(signal) })
  await workers.stop(GRACE_MS)
}

/** From 0, also for what a new configuration brings. */
function beginCounting(live: LiveConfig, { metrics }: Telemetry): void {
  beginWork(metrics, live.current())
  live.onChange(({ config }) => {
    beginWork(metrics, config)
  })
}

/** In one process with the serving part, that one records for both. */
function recordFigures(stack: Stack, { redis }: ReplicationQueues, own: Telemetry | undefined) {
  if (own === undefined) return
  stack.use(new FigureRecording(new Figures(redis), own.metrics))
  stack.use(recordStories(new Stories(redis), own))
}

function walksOf(parts: ResyncParts & Pick<CatchUpParts, 'reporter'>) {
  const resync = new Resync(parts)
  const caught = new CatchUp({ ...parts, resync })
  const catchUp: ResyncWorkerOptions['catchUp'] = (missed, jobId, signal) =>
    caught.run(missed, jobId, signal)
  return { walk: resync.walk, catchUp }
}

/** On the connection that fails fast: a copy must not wait for Redis. */
function memories(queues: ReplicationQueues, onError: (error: Error) => void) {
  return {
    ledger: new RedisBlobLedger(queues.redis, onError),
    news: new ReferrerNews(queues, onError),
    policies: new LocalPolicies(queues.redis, onError),
  }
}

interface Configured {
  readonly queues: ReplicationQueues
  readonly registries: OpenRegistries
  readonly schedule: TransferSchedule
  readonly workers: UpstreamWorkers
  readonly onError: (error: Error) => void
}

/** Also what was changed since this process began to start. */
function follow(live: LiveConfig, begun: Config, parts: Configured): void {
  live.onChange(({ config }) => {
    reconfigure(config, parts)
  })
  if (live.current() !== begun) reconfigure(live.current(), parts)
}

function reconfigure(config: Config, parts: Configured): void {
  const { queues, registries, schedule, workers, onError } = parts
  queues.configure(config.upstreams.keys(), config)
  registries.configure(config)
  workers.configure(config).catch(onError)
  schedule.startWaiting()
}

interface SpoolParts {
  readonly publicity: Publicity
  readonly reporter: Reporter
  readonly stack: Stack
}

/** Others find it by this process's address, which is not known before Redis is there: jobs are not, either. */
async function openSpool(
  { redis }: ReplicationQueues,
  { spool }: Config,
  { publicity, reporter, stack }: SpoolParts,
): Promise<WorkerSpool | undefined> {
  const leaving = new AbortController()
  const opening = ownAddress(redis, leaving.signal).then(async (address) => {
    if (address === undefined) return undefined
    return await WorkerSpool.open(address, spool, publicity, (folder, error) => {
      reporter.spoolRefused({ folder, error })
    })
  })
  stack.defer(async () => {
    leaving.abort()
    await (await opening)?.[Symbol.asyncDispose]()
  })
  return await opening
}

/** Both wait for Redis however long that takes; the process has started and can be stopped meanwhile. */
async function soon(start: Promise<void>, signal: AbortSignal): Promise<void> {
  await Promise.race([inTime(start, REDIS_WITHIN_MS), untilAborted(signal)])
}

function workerId(): string {
  return `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
}
