import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { type Site, startSite } from '../e2e/site.ts'
import { type Child, startChild } from '../support/process/child.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/network/free-port.ts'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const there = await run('prometheus', ['--version']).then(
  () => true,
  () => false,
)
const title = there ? '' : ' (skipped: no prometheus here; on Debian the package of that name)'

/** What of the alerts the tests look at. */
interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[]
  }[]
}

/** What of the dashboard the tests look at. */
interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets: readonly { readonly expr: string }[]
  }[]
}

async function queries(): Promise<readonly (readonly [string, string])[]> {
  const text = await readFile('deploy/grafana/pullsync.json', 'utf8')
  const { panels } = JSON.parse(text) as Dashboard
  // As Grafana fills them in.
  const filled = (expr: string) =>
    expr.replaceAll('$upstream', '.*').replaceAll('$job', '.*').replaceAll('$__rate_interval', '1m')
  return panels.flatMap(({ title: panel, targets }) =>
    targets.map(({ expr }) => [panel, filled(expr)] as const),
  )
}

describe('what alerts and dashboard ask for', () => {
  it('are metrics of pullsync, or of every process on Node', async () => {
    const text = await createMetrics({ queueDepths: () => Promise.resolve([]) }).render()
    const made = [...text.matchAll(/^# TYPE (\w+) (\w+)/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((end) => `${name}_${end}`) : [name],
    )
    const alerts = await readFile('deploy/prometheus/alerts.yml', 'utf8')
    const asked = [alerts, ...(await queries()).map(([, expr]) => expr)]
      .flatMap((expr) => [...expr.matchAll(/\b(?:pullsync|process|nodejs)_\w+/g)])
      .map(([name]) => name)

    expect(new Set(asked).size).toBeGreaterThan(15)
    expect(asked.filter((name) => !made.includes(name))).toEqual([])
  })
})

describe.skipIf(!there)(`the alerts${title}`, () => {
  it('are rules that Prometheus takes, and each is raised when it should be', async () => {
    const cwd = 'deploy/prometheus'
    const checked = await run('promtool', ['check', 'rules', 'alerts.yml'], { cwd })
    const tested = await run('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd })

    expect(checked.stdout.toString()).toMatch(/SUCCESS: \d+ rules found/)
    expect(tested.stderr.toString() + tested.stdout.toString()).toContain('SUCCESS')
    expect(tested.code).toBe(0)
  })

  it('are each tested', async () => {
    const alerts = await readFile('deploy/prometheus/alerts.yml', 'utf8')
    const tests = await readFile('deploy/prometheus/alerts.test.yml', 'utf8')
    const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)

    expect(names.filter((name) => !tests.includes(name))).toEqual([])
  })
})

describe.skipIf(!there)(
  `the dashboard, in a Prometheus that scraped a busy pullsync${title}`,
  () => {
    let site: Site
    let folder: Awaited<ReturnType<typeof tempFolder>>
    let prometheus: Child
    let address: string

    beforeAll(async () => {
      site = await startSite({ together: true })
      folder = await tempFolder('prometheus')
      address = `127.0.0.1:${await freePort()}`
      const config = join(folder.path, 'prometheus.yml')
      const target = site.admin.replace('http://', '')
      await writeFile(
        config,
        `{global: {scrape_interval: 1s}, scrape_configs: [{job_name: pullsync, static_configs: [{targets: ['${target}']}]}]}`,
      )
      prometheus = await startChild({
        command: 'prometheus',
        args: [
          `--config.file=${config}`,
          `--storage.tsdb.path=${folder.path}/data`,
          `--web.listen-address=${address}`,
        ],
      })
      await using image = await site.publish('team/app:1.0')
      const pull = `http://${site.gateway}/v2/team/app/manifests`
      const headers = { accept: image.top.mediaType }
      await eventually(async () => (await fetch(`${pull}/1.0`, { headers })).status === 200, {})
      await fetch(`${pull}/nothing`, { headers })
      expect(image.bytes).toBeGreaterThan(0)
    })

    afterAll(async () => {
      await prometheus.stop()
      await folder[Symbol.asyncDispose]()
      await site[Symbol.asyncDispose]()
    })

    async function results(expr: string): Promise<number> {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expr)}`
      const answer = (await (await fetch(url)).json()) as {
        readonly status: string
        readonly error?: string
        readonly data?: { readonly result: readonly unknown[] }
      }
      if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error ?? ''}`)
      return answer.data?.result.length ?? 0
    }

    it('raises no alert about an image that was pushed upstream and is not wanted here', async () => {
      // An increase is one over what was scraped before.
      await eventually(async () => (await results('pullsync_jobs_ended_total')) > 0)
      await using image = await site.publish('team/unwanted:1.0')
      expect(image.bytes).toBeGreaterThan(0)
      const refused = 'increase(pullsync_jobs_ended_total{outcome="refused"}[15m]) > 0'
      await eventually(async () => (await results(refused)) > 0, { describe: refused })

      const alerts = parse(await readFile('deploy/prometheus/alerts.yml', 'utf8')) as Alerts
      const rules = alerts.groups.flatMap((group) => group.rules)
      const raised = await Promise.all(
        rules.map(async ({ alert, expr }) => ((await results(expr)) > 0 ? [alert] : [])),
      )
      expect(raised.flat()).toEqual([])
    })

    // What needs a failure, or an upstream that counts pulls, is asked and has nothing to show.
    const QUIET =
      /failures|failed|ignored|remaining|deliveries_total|pullsync_blobs_total|copied_bytes/

    it('shows something in every panel that this had to do with', async () => {
      for (const [panel, expr] of await queries()) {
        if (QUIET.test(expr)) {
          await results(expr)
          continue
        }
        await eventually(async () => (await results(expr)) > 0, {
          describe: `"${panel}" to show something for ${expr}`,
        })
      }
    })
  },
)
