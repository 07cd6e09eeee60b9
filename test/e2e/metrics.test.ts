import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { arrives, type Site, startSite } from './site.ts'

let site: Site

beforeAll(async () => {
  site = await startSite({ together: true, project: '    onMiss: hold' })
})

afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

async function metrics(): Promise<string> {
  return await (await fetch(`${site.admin}/metrics`)).text()
}

async function valueOf(series: string): Promise<number | undefined> {
  const lines = (await metrics()).split('\n')
  const line = lines.find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.split(' ')[1])
}

it('begin at 0 in a fresh process, so that an alert sees the first increase', async () => {
  for (const series of [
    'pullsync_deliveries_total{source="edge",status="401"}',
    'pullsync_events_ignored_total{source="gateway",reason="source-limited"}',
    'pullsync_gateway_misses_total{mode="stream",answer="missing"}',
    'pullsync_jobs_failed_total{upstream="hq"}',
    'pullsync_jobs_ended_total{upstream="hq",outcome="refused"}',
    'pullsync_job_failures_total{upstream="hq",disposition="parked"}',
    'pullsync_upstream_held_total{upstream="hq",kind="down"}',
  ]) {
    expect([series, await valueOf(series)]).toEqual([series, 0])
  }
})

it('a first one counts on, and makes no series beside it', async () => {
  await fetch(`${site.events}/edge`, { method: 'POST', body: '{}' })

  expect(await valueOf('pullsync_deliveries_total{source="edge",status="401"}')).toBe(1)
})

it('tell hits from misses, and the bytes that clients were sent', async () => {
  const image = await site.publish('team/counted:1.0')
  const url = `http://${site.gateway}/v2/team/counted`
  const pull = async (path: string) => {
    const accept = image.top.mediaType
    return Buffer.from(await (await fetch(url + path, { headers: { accept } })).arrayBuffer())
  }
  await pull('/manifests/1.0')
  await arrives(site, 'team/counted:1.0', image)
  await pull('/manifests/1.0')
  const [blob] = image.blobs
  const bytes = await pull(`/blobs/${blob?.digest ?? ''}`)

  await eventually(async () => {
    const sent = (await valueOf('pullsync_gateway_sent_bytes_total')) ?? 0
    return sent > bytes.length + 2 * image.top.bytes.length
  })
  expect(await valueOf('pullsync_gateway_pulls_total{answer="miss"}')).toBe(1)
  expect(await valueOf('pullsync_gateway_pulls_total{answer="hit"}')).toBe(1)
})

it('are not all that is kept: what happened to an image is told with it', async () => {
  const { lines: story, copied } = await eventually(async () => {
    const { stdout } = await site.serve.run(['why', 'team/counted:1.0', '--json'])
    const { story: lines } = JSON.parse(stdout) as Why
    // The push was told of, too, and finds that it is here.
    const copied = lines.find(({ facts }) => facts['outcome'] === 'copied')
    return copied && lines.some(({ what }) => what === 'miss answered') && { lines, copied }
  })

  expect(copied).toMatchObject({ what: 'job ended', facts: { upstream: 'hq' } })
  expect(story.find(({ what }) => what === 'miss answered')?.facts).toMatchObject({ mode: 'hold' })
  const { stdout } = await site.serve.run(['why', 'team/counted:1.0'])
  expect(stdout).toMatch(/ ago {2}job ended {2}.*outcome=copied/)
  const other = await site.serve.run(['why', 'team/other:1.0', '--json'])
  expect((JSON.parse(other.stdout) as Why).story).toEqual([])
})

interface Why {
  readonly story: readonly {
    readonly what: string
    readonly facts: Readonly<Record<string, string>>
  }[]
}
