import { afterEach, expect, it } from 'vitest'
import { MANIFEST_ACCEPT } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { addEmptyImage } from '../../support/images/empty-image.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { digestAt, type Site, startSite } from '../site.ts'

// `PULLSYNC_OUTAGE_JOBS=20000` is the whole of it.
const JOBS = Number(process.env['PULLSYNC_OUTAGE_JOBS'] ?? 300)
const AWAY_MS = 4_000
const [PAUSE_MS, MAX_PAUSE_MS] = [400, 1_000]
/** What two workers may ask before the breaker opens: three at once and a few after them, some twice. */
const BEFORE_OPEN = 24
const opened: AsyncDisposable[] = []

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

interface StatusJson {
  readonly upstream: string
  readonly counts: { readonly failed: number }
  readonly hold?: { readonly kind: string; readonly forMs: number; readonly reason: string }
}

/** Probes of an outage that has lasted so long: pauses double, and may be a fifth shorter. */
function probesWithin(ms: number): number {
  let [probes, pause] = [0, PAUSE_MS]
  for (let at = 0; at < ms; at += pause * 0.8) {
    probes += 1
    if (at > 0) pause = Math.min(MAX_PAUSE_MS, pause * 2)
  }
  return probes
}

async function start(pause = `${PAUSE_MS}ms`): Promise<{ hub: ScriptedRegistry; site: Site }> {
  const hub = await startScriptedRegistry()
  opened.push(hub)
  const site = await startSite({
    workers: 2,
    upstreamConfig: `  hub:\n    url: ${hub.url}`,
    project: '  - name: hub\n    upstream: hub\n    referrers: false',
    jobs: `jobs: { attempts: 3, backoff: 100ms }\noutages: { pause: ${pause}, maxPause: ${MAX_PAUSE_MS}ms }`,
  })
  opened.push(site)
  return { hub, site }
}

async function status(site: Site): Promise<StatusJson | undefined> {
  const { stdout } = await site.serve.run(['status', '--json'])
  return (JSON.parse(stdout) as StatusJson[]).find(({ upstream }) => upstream === 'hub')
}

it(`an upstream that is down is asked a few times, whatever waits, and ${JOBS} jobs lose no attempt`, async () => {
  const { hub, site } = await start()
  for (let number = 0; number < JOBS; number += 1) addEmptyImage(hub, 'hub/app', `${number}`)
  let isDown = true
  let askedWhileDown = 0
  hub.script({ path: /.*/ }, ({ response, serve }) => {
    if (!isDown) return serve()
    askedWhileDown += 1
    refuse(response, 503, 'UNAVAILABLE')
    return undefined
  })
  const since = performance.now()

  for (let first = 0; first < JOBS; first += 100) {
    const numbers = Array.from({ length: Math.min(100, JOBS - first) }, (_, n) => first + n)
    await Promise.all(numbers.map((number) => site.miss('hub/app', `${number}`)))
  }
  const seen = await eventually(async () => {
    const hold = (await status(site))?.hold
    return hold?.kind === 'down' && hold
  })
  expect(seen.reason).toContain('503')
  const { stdout } = await site.serve.run(['status'])
  expect(stdout).toMatch(/down, (tried in|being tried)/)
  const sync = await site.serve.run(['sync', 'hub/app:0', '--wait', '--timeout', '1s'])
  expect(sync.code).toBe(1)
  expect(sync.stderr).toMatch(/^warning: \d+ jobs of hub wait: the upstream is down\. .* 503/m)
  expect(sync.stderr).toMatch(/^error: not done within 1s: the upstream is down\. .* 503/m)
  await eventually(() => performance.now() - since > AWAY_MS)
  isDown = false
  const awayMs = performance.now() - since

  expect(askedWhileDown).toBeLessThanOrEqual(BEFORE_OPEN + probesWithin(awayMs))
  const missing = new Set(Array.from({ length: JOBS }, (_, number) => number))
  await eventually(
    async () => {
      for (const number of missing) {
        if ((await digestAt(site.local, `hub/app:${number}`)) === undefined) return false
        missing.delete(number)
      }
      return true
    },
    { within: 60_000 + JOBS * 50, describe: () => `all images; ${missing.size} are missing` },
  )
  const after = await status(site)
  expect(after?.counts.failed).toBe(0)
  expect(after?.hold).toBeUndefined()
  const lines = site.workers.flatMap((worker) => worker.output())
  expect(lines.some((line) => line.includes('registry answers again'))).toBe(true)
})

it('an upstream that fails the HEADs of clients is down for all, until one of them finds it well', async () => {
  const { hub, site } = await start('1s')
  addEmptyImage(hub, 'hub/app', '1.0')
  let isDown = true
  hub.script({ path: /.*/ }, ({ response, serve }) => {
    if (!isDown) return serve()
    refuse(response, 503, 'UNAVAILABLE')
    return undefined
  })
  const head = (tag: string) =>
    fetch(`http://${site.gateway}/v2/hub/app/manifests/${tag}`, {
      ...{ method: 'HEAD', headers: { accept: `${MANIFEST_ACCEPT}, */*` } },
    })

  let asked = 0
  await eventually(
    async () => {
      const answer = await head(`absent-${(asked += 1)}`)
      return answer.headers.get('pullsync-reason') === 'upstream-down'
    },
    { describe: 'clients to be told that upstream is down' },
  )
  expect((await status(site))?.hold?.kind).toBe('down')
  isDown = false

  await eventually(async () => (await head('1.0')).status === 200)
  await eventually(async () => (await status(site))?.hold === undefined)
  const lines = () => site.serve.output()
  expect(lines().some((line) => line.includes('registry held'))).toBe(true)
  await eventually(() => lines().some((line) => line.includes('registry answers again')))
})
