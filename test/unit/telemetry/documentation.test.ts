import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

const PAGE = readFileSync('docs/operations.md', 'utf8')

describe('docs/operations.md', () => {
  it('names every metric, and none that is not there', async () => {
    const text = await createMetrics({ queueDepths: () => Promise.resolve([]) }).render()
    const made = [...text.matchAll(/^# TYPE (pullsync_\w+)/gm)].map(([, name = '']) => name)
    const named = [...PAGE.matchAll(/pullsync_[a-z_]+/g)].map(([name]) => name)

    expect([...new Set(named)].sort()).toEqual(made.sort())
  })

  it('names every message of the log at warn and error', () => {
    const files = ['jobs', 'process', 'webhook', 'gateway'].map((name) =>
      readFileSync(`src/telemetry/reports/report-${name}.ts`, 'utf8'),
    )
    const messages = files.flatMap((text) =>
      [...text.matchAll(/level: '(?:warn|error)',\s*message: '([^']+)'/g)].map(
        ([, message]) => message,
      ),
    )

    expect(messages.length).toBeGreaterThan(8)
    expect(messages.filter((message = '') => !PAGE.includes(`\`${message}\``))).toEqual([])
  })
})
