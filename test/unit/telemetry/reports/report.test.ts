import { describe, expect, it } from 'vitest'
import type { Digest } from '../../../../src/oci/digest.ts'
import { ReplicationError } from '../../../../src/replication/errors.ts'
import type { Outcome } from '../../../../src/replication/outcome.ts'
import type { LogLevel } from '../../../../src/telemetry/log-level.ts'
import type { Facts, Logger } from '../../../../src/telemetry/logger.ts'
import { createMetrics, type QueueDepth } from '../../../../src/telemetry/metrics.ts'
import { createReporter, type Reporter } from '../../../../src/telemetry/reports/report.ts'
import type { JobFacts } from '../../../../src/telemetry/reports/report-jobs.ts'

const job: JobFacts = {
  ...{ eventId: 'event-1', jobId: '7', upstream: 'hq' },
  ...{ repository: 'team/app', reference: '1.0', trigger: 'miss' },
}

const copied: Outcome = {
  kind: 'copied',
  upstream: 'lab',
  digest: `sha256:${'ab'.repeat(32)}` as Digest,
  manifests: 3,
  blobs: { copied: 4, skipped: 3, mounted: 2, nonDistributable: 1 },
  bytes: 1_024,
}

describe('the reporter', () => {
  it('warns once of each source whose deliveries prove nothing, however many there are', async () => {
    const { lines } = await reported((report) => {
      for (let n = 0; n < 1_000; n += 1) {
        const said = { source: n % 2 === 0 ? 'edge' : 'hq-push', requestId: `${n}` }
        report.proofRefused(said)
        report.keysUnavailable(said, new Error('no signing keys'))
      }
    })

    const loud = lines.filter(({ level }) => level !== 'debug')
    expect(loud.map(({ level, facts }) => [level, facts?.['source']])).toEqual([
      ['warn', 'edge'],
      ['error', 'edge'],
      ['warn', 'hq-push'],
      ['error', 'hq-push'],
    ])
  })

  it('writes how a job ended to the log and into the metrics', async () => {
    const { lines, text } = await reported((report) => {
      report.jobEnded(job, { outcome: copied, durationMs: 1_500 })
    })

    expect(lines).toEqual([
      {
        level: 'info',
        message: 'job ended',
        facts: {
          ...job,
          ...{ outcome: 'copied', digest: copied.digest, manifests: 3, blobs: copied.blobs },
          ...{ bytes: 1_024, copiedFrom: 'lab', durationMs: 1_500 },
        },
      },
    ])
    expect(text).toContain('pullsync_jobs_ended_total{upstream="hq",outcome="copied"} 1')
    expect(text).toContain('pullsync_copied_bytes_total{upstream="lab"} 1024')
    expect(text).toContain('pullsync_blobs_total{upstream="lab",how="copied"} 4')
    expect(text).toContain('pullsync_blobs_total{upstream="lab",how="skipped"} 3')
    expect(text).toContain('pullsync_blobs_total{upstream="lab",how="mounted"} 2')
    expect(text).toContain('pullsync_job_duration_seconds_sum{upstream="hq",outcome="copied"} 1.5')
  })

  it.each<[Outcome]>([
    [{ kind: 'up-to-date', digest: copied.digest }],
    [{ kind: 'not-found', upstreams: ['hq'] }],
    [{ kind: 'refused', reason: 'not held locally' }],
  ])('counts an expected ending at info: %o', async (outcome) => {
    const { lines, text } = await reported((report) => {
      report.jobEnded(job, { outcome, durationMs: 5 })
    })

    expect(lines).toMatchObject([{ level: 'info', facts: { outcome: outcome.kind } }])
    expect(text).toContain(`pullsync_jobs_ended_total{upstream="hq",outcome="${outcome.kind}"} 1`)
  })

  it('counts an image that is refused as a failure, at error', async () => {
    const outcome: Outcome = { kind: 'refused', reason: 'schema 1', failure: true }

    const { lines, text } = await reported((report) => {
      report.jobEnded(job, { outcome, durationMs: 5 })
    })

    expect(lines).toMatchObject([{ level: 'error', facts: { reason: 'schema 1' } }])
    expect(text).toContain('pullsync_jobs_failed_total{upstream="hq"} 1')
  })

  it.each([
    [true, 'warn', 0],
    [false, 'error', 1],
  ])('tells a failure that is tried again (%s) at %s', async (willRetry, level, lost) => {
    const { lines, text } = await reported((report) => {
      report.jobFailed(job, {
        ...{ error: new Error('reset'), disposition: 'transient', attempt: 2 },
        ...{ willRetry, durationMs: 5 },
      })
    })

    expect(lines).toMatchObject([{ level, facts: { jobId: '7', disposition: 'transient' } }])
    expect(text).toContain('pullsync_job_failures_total{upstream="hq",disposition="transient"} 1')
    expect(text.includes('pullsync_jobs_failed_total{upstream="hq"} 1')).toBe(lost === 1)
  })

  it('writes one line for all connections that break, and one for each thing that Redis refuses', async () => {
    const { lines } = await reported((report) => {
      for (const port of [1, 1, 2])
        report.redisFailed({ reason: `no answer :${port}`, isAway: true })
      for (const right of ['xadd', 'eval', 'xadd']) {
        report.redisFailed({ reason: `NOPERM ${right}`, isAway: false })
      }
    })

    expect(lines.map(({ message, facts }) => [message, facts])).toEqual([
      ['redis connection failed', { reason: 'no answer :1' }],
      ['redis refused a command', { reason: 'NOPERM xadd' }],
      ['redis refused a command', { reason: 'NOPERM eval' }],
    ])
  })

  it('tells a classified failure of an upstream by its words', async () => {
    const error = new ReplicationError('look up failed: no answer', { disposition: 'transient' })

    const { lines } = await reported((report) => {
      report.lookFailed({ upstream: 'hq', error })
    })

    expect(lines).toMatchObject([
      { level: 'warn', facts: { upstream: 'hq', reason: 'look up failed: no answer' } },
    ])
  })

  it.each([
    [false, 'info', 'pullsync_jobs_enqueued_total'],
    [true, 'debug', 'pullsync_jobs_duplicate_total'],
  ])('counts a request whose job was there already (%s)', async (duplicate, level, metric) => {
    const { lines, text } = await reported((report) => {
      report.jobEnqueued(
        {
          ...{ repository: 'team/app', upstreamRepository: 'team/app', reference: '1.0' },
          ...{ upstreams: ['hq', 'lab'], trigger: 'push', onlyIfPresent: true, platforms: 'all' },
          ...{ referrers: true, eventId: 'event-1' },
        } as unknown as Parameters<Reporter['jobEnqueued']>[0],
        { jobId: '7', duplicate },
      )
    })

    expect(lines).toMatchObject([{ level, facts: { eventId: 'event-1', jobId: '7' } }])
    expect(text).toContain(`${metric}{upstream="hq",trigger="push"} 1`)
  })

  it('never throws, and says so when a report cannot be written', () => {
    const written: string[] = []
    const logger = loggerOf((_level, message) => {
      if (message === 'job ended') throw new Error('disk full')
      written.push(message)
    })
    const report = createReporter(logger, createMetrics())

    report.jobEnded(job, { outcome: copied, durationMs: Number.NaN })

    // Once for the line and once for the number.
    expect(written).toEqual(['report failed', 'report failed'])
  })

  it('never throws when nothing can be written at all', () => {
    const logger = loggerOf(() => {
      throw new Error('disk full')
    })

    expect(() => {
      createReporter(logger, createMetrics()).processStarted({ command: 'up' })
    }).not.toThrow()
  })

  it('still counts what cannot be logged', async () => {
    const metrics = createMetrics()
    const logger = loggerOf(() => {
      throw new Error('disk full')
    })

    createReporter(logger, metrics).registryHeld({ registry: 'hq', kind: 'held', forMs: 1_000 })

    expect(await metrics.render()).toContain(
      'pullsync_upstream_held_total{upstream="hq",kind="held"} 1',
    )
  })
})

describe('the depth of the queues', () => {
  it('is asked for at every scrape, and what is gone is gone', async () => {
    let depths: QueueDepth[] = [{ upstream: 'hq', state: 'waiting', count: 3 }]
    const metrics = createMetrics({ queueDepths: () => Promise.resolve(depths) })
    expect(await metrics.render()).toContain('pullsync_queue_jobs{upstream="hq",state="waiting"} 3')

    depths = [{ upstream: 'lab', state: 'active', count: 1 }]
    const text = await metrics.render()

    expect(text).toContain('pullsync_queue_jobs{upstream="lab",state="active"} 1')
    expect(text).not.toContain('upstream="hq"')
  })

  it('does not cost the other numbers when it cannot be had', async () => {
    const metrics = createMetrics({ queueDepths: () => Promise.reject(new Error('no Redis')) })

    expect(await metrics.render()).toContain('process_cpu_seconds_total')
  })

  it('does not make a scrape wait for ever', async () => {
    const metrics = createMetrics({
      queueDepths: () => new Promise(() => undefined),
      queueDepthsWithinMs: 20,
    })

    expect(await metrics.render()).toContain('process_cpu_seconds_total')
  })
})

async function reported(act: (report: Reporter) => void) {
  const lines: { level: LogLevel; message: string; facts: Facts | undefined }[] = []
  const metrics = createMetrics()
  const logger = loggerOf((level, message, facts) => {
    lines.push({ level, message, facts })
  })
  act(createReporter(logger, metrics))
  return { lines, text: await metrics.render() }
}

function loggerOf(log: Logger['log']): Logger {
  return { log, with: () => loggerOf(log) }
}
