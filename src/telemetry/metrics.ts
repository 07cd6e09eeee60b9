import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { figuresOf } from './figures.ts'

/** How many jobs of an upstream's queue are in one state. */
export interface QueueDepth {
  readonly upstream: string
  readonly state: string
  readonly count: number
}

export interface MetricsOptions {
  /** Asked at every scrape; one that fails or is slow leaves the gauge out of that scrape. */
  readonly queueDepths?: () => Promise<readonly QueueDepth[]>
  readonly queueDepthsWithinMs?: number
}

export type Metrics = ReturnType<typeof createMetrics>

// Prometheus gives a scrape 10 s by default; the queue's answer is worth a part of that.
const QUEUE_DEPTHS_WITHIN_MS = 2_000
const JOB_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800]
const DELIVERY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** The numbers of one process, in a registry of their own. Labels have few and known values only. */
export function createMetrics({
  queueDepths,
  queueDepthsWithinMs = QUEUE_DEPTHS_WITHIN_MS,
}: MetricsOptions = {}) {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  if (queueDepths !== undefined) {
    addQueueDepth(registry, () => within(queueDepthsWithinMs, queueDepths()))
  }
  const gateway = gatewayMetrics(registers)
  const jobs = jobMetrics(registers)
  return {
    ...webhookMetrics(registers),
    ...adminMetrics(registers),
    ...gateway,
    ...jobs,
    ...upstreamMetrics(registers),
    /** The totals that the overview plots. */
    figures: () => figuresOf({ ...gateway, ...jobs }),
    contentType: registry.contentType,
    /** In the Prometheus text format. */
    render: (): Promise<string> => registry.metrics(),
  }
}

function webhookMetrics(registers: Registry[]) {
  return {
    deliveries: new Counter({
      name: 'pullsync_deliveries_total',
      help: 'Webhook deliveries answered, by source and HTTP status',
      labelNames: ['source', 'status'],
      registers,
    }),
    deliverySeconds: new Histogram({
      name: 'pullsync_delivery_duration_seconds',
      help: 'From the head of a delivery to its answer',
      labelNames: ['source'],
      buckets: DELIVERY_SECONDS,
      registers,
    }),
    malformed: new Counter({
      name: 'pullsync_deliveries_malformed_total',
      help: 'Proven webhook deliveries whose body is not what the format says',
      labelNames: ['source'],
      registers,
    }),
    events: new Counter({
      name: 'pullsync_events_received_total',
      help: 'Events understood, by source and action',
      labelNames: ['source', 'action'],
      registers,
    }),
    ignored: new Counter({
      name: 'pullsync_events_ignored_total',
      help: 'Events that nothing is done about, by source and reason',
      labelNames: ['source', 'reason'],
      registers,
    }),
    enqueued: new Counter({
      name: 'pullsync_jobs_enqueued_total',
      help: 'Jobs newly queued, by upstream and trigger',
      labelNames: ['upstream', 'trigger'],
      registers,
    }),
    duplicates: new Counter({
      name: 'pullsync_jobs_duplicate_total',
      help: 'Requests that a job was already there for, by upstream and trigger',
      labelNames: ['upstream', 'trigger'],
      registers,
    }),
  }
}

function adminMetrics(registers: Registry[]) {
  return {
    loginsRefused: new Counter({
      name: 'pullsync_admin_logins_refused_total',
      help: 'Wrong logins at the admin listener',
      registers,
    }),
    spoolRefusals: new Counter({
      name: 'pullsync_spool_refusals_total',
      help: 'Times that the disk of a spool took no more',
      registers,
    }),
  }
}

function gatewayMetrics(registers: Registry[]) {
  return {
    pulls: new Counter({
      name: 'pullsync_gateway_pulls_total',
      help: 'Manifests that clients asked the gateway for, by whether the local registry had them: hit or miss',
      labelNames: ['answer'],
      registers,
    }),
    sentBytes: new Counter({
      name: 'pullsync_gateway_sent_bytes_total',
      help: 'Bytes that the gateway has written to its clients, heads of answers included',
      registers,
    }),
    misses: new Counter({
      name: 'pullsync_gateway_misses_total',
      help: "Misses that the gateway had to answer, by the project's onMiss and what the client got",
      labelNames: ['mode', 'answer'],
      registers,
    }),
    missSeconds: new Histogram({
      name: 'pullsync_gateway_miss_duration_seconds',
      help: 'From a miss to the head of its answer, by onMiss and what the client got',
      labelNames: ['mode', 'answer'],
      buckets: JOB_SECONDS,
      registers,
    }),
  }
}

function jobMetrics(registers: Registry[]) {
  return {
    ended: new Counter({
      name: 'pullsync_jobs_ended_total',
      help: 'Jobs that ended as expected, by upstream and outcome',
      labelNames: ['upstream', 'outcome'],
      registers,
    }),
    failures: new Counter({
      name: 'pullsync_job_failures_total',
      help: 'Attempts of jobs that failed, by upstream and disposition of the error',
      labelNames: ['upstream', 'disposition'],
      registers,
    }),
    lost: new Counter({
      name: 'pullsync_jobs_failed_total',
      help: 'Jobs that failed or were refused and are not tried again by themselves, by upstream',
      labelNames: ['upstream'],
      registers,
    }),
    locksLost: new Counter({
      name: 'pullsync_job_locks_lost_total',
      help: 'Running jobs that this worker gave up because Redis had not heard from it for too long, by upstream',
      labelNames: ['upstream'],
      registers,
    }),
    bytes: new Counter({
      name: 'pullsync_copied_bytes_total',
      help: 'Bytes of blobs fetched, by upstream',
      labelNames: ['upstream'],
      registers,
    }),
    blobs: new Counter({
      name: 'pullsync_blobs_total',
      help: 'Blobs of copied images, by upstream and how they came to be in the local registry',
      labelNames: ['upstream', 'how'],
      registers,
    }),
    referrers: new Counter({
      name: 'pullsync_referrers_total',
      help: 'Signatures, SBOMs and attestations that came with images, and those that could not be copied, by upstream',
      labelNames: ['upstream', 'how'],
      registers,
    }),
    resyncs: new Counter({
      name: 'pullsync_resyncs_total',
      help: 'Walks over what is here, made by the clock, by project and how they ended',
      labelNames: ['project', 'outcome'],
      registers,
    }),
    jobSeconds: new Histogram({
      name: 'pullsync_job_duration_seconds',
      help: 'Duration of jobs that ended as expected, by upstream and outcome',
      labelNames: ['upstream', 'outcome'],
      buckets: JOB_SECONDS,
      registers,
    }),
  }
}

function upstreamMetrics(registers: Registry[]) {
  return {
    pullAllowance: new Gauge({
      name: 'pullsync_upstream_pulls_remaining',
      help: 'Pulls that an upstream still gives, as it last told this process',
      labelNames: ['upstream'],
      registers,
    }),
    held: new Counter({
      name: 'pullsync_upstream_held_total',
      help: 'Times that all work on an upstream, or the local registry, was put off, by why: held, down or parked',
      labelNames: ['upstream', 'kind'],
      registers,
    }),
  }
}

function addQueueDepth(
  registry: Registry,
  queueDepths: () => Promise<readonly QueueDepth[]>,
): void {
  const gauge = new Gauge({
    name: 'pullsync_queue_jobs',
    help: 'Jobs in the queue, by upstream and state',
    labelNames: ['upstream', 'state'],
    registers: [registry],
    async collect() {
      const depths = await queueDepths()
      gauge.reset()
      for (const { upstream, state, count } of depths) gauge.set({ upstream, state }, count)
    },
  })
}

// Without Redis there is no depth to tell, but every other number is still wanted.
async function within(
  limitMs: number,
  depths: Promise<readonly QueueDepth[]>,
): Promise<readonly QueueDepth[]> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<readonly QueueDepth[]>((resolve) => {
    timer = setTimeout(resolve, limitMs, [])
  })
  try {
    return await Promise.race([depths, tooLate])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}
