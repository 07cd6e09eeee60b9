import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { startSite } from '../site.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

it('the Retry-After of one answer is obeyed by two worker processes', async () => {
  await using hub = await startScriptedRegistry()
  const asked: number[] = []
  let refusedAt = 0
  for (let number = 0; number < 20; number += 1) addImage(hub, number)
  hub.script({ method: 'GET', path: /\/manifests\/\d+$/ }, ({ serve }) => {
    asked.push(performance.now())
    return serve()
  })
  hub.script({ path: /\/manifests\/first$/, times: 1 }, ({ response }) => {
    refusedAt = performance.now()
    response.setHeader('retry-after', '2')
    refuse(response, 429, 'TOOMANYREQUESTS')
  })
  await using site = await startSite({
    workers: 2,
    upstreamConfig: `  hub:\n    url: ${hub.url}`,
    project: '  - name: hub\n    upstream: hub\n    referrers: false',
  })

  await site.miss('hub/app', 'first')
  await eventually(async () => (await heldForMs()) > 0, {
    describe: 'the upstream to be left alone',
  })
  for (let number = 0; number < 20; number += 1) await site.miss('hub/app', `${number}`)

  await eventually(() => asked.length === 20, { describe: 'all misses to be asked for' })
  const tooEarly = asked.filter((at) => at - refusedAt < 2_000)
  expect(tooEarly).toEqual([])
  const busy = () =>
    site.workers.filter((worker) => worker.output().some((line) => line.includes('job ended')))
  await eventually(() => busy().length === 2, { describe: 'both workers to have had jobs' })

  async function heldForMs(): Promise<number> {
    const { stdout } = await site.serve.run(['status', '--json'])
    const all = JSON.parse(stdout) as readonly { upstream: string; heldForMs: number }[]
    return all.find(({ upstream }) => upstream === 'hub')?.heldForMs ?? 0
  }
})

it('an upstream with few pulls left is not asked for looks, and goes on being asked for misses', async () => {
  await using hub = await startScriptedRegistry()
  for (let number = 0; number < 4; number += 1) addImage(hub, number)
  hub.script({ path: /\/manifests\// }, ({ response, serve }) => {
    response.setHeader('ratelimit-limit', '100;w=21600')
    response.setHeader('ratelimit-remaining', '5;w=21600')
    return serve()
  })
  await using site = await startSite({
    upstreamConfig: `  hub:\n    url: ${hub.url}`,
    project:
      '  - name: hub\n    upstream: hub\n    referrers: false\n    onMiss: hold\n    revalidateAfter: 0s',
  })
  const pull = (tag: number) =>
    fetch(`http://${site.gateway}/v2/hub/app/manifests/${tag}`, { headers: { accept: MANIFEST } })
  for (const tag of [0, 1, 2]) expect((await pull(tag)).status).toBe(200)
  const asked = () => hub.requests.filter(({ path }) => path.includes('/manifests/')).length
  const before = asked()

  // Each of them is here by now, and wants a look; the memory of their copies ends first.
  await eventually(
    async () => {
      for (const tag of [0, 1, 2]) await pull(tag)
      return (await looks()).filter(({ state }) => state === 'delayed').length === 2
    },
    { describe: 'two looks to be put off' },
  )

  expect(asked()).toBe(before + 1)
  expect((await looks()).map(({ attemptsMade, state }) => `${state} ${attemptsMade}`)).toEqual(
    expect.arrayContaining(['delayed 0', 'delayed 0']),
  )
  expect((await pull(3)).status).toBe(200)
  const { stdout } = await site.serve.run(['status'])
  expect(stdout).toContain('PULLS LEFT')
  expect(stdout).toContain('5 of 100')

  async function looks() {
    const jobs = await site.jobs('--match', 'hub/*')
    return jobs.filter(({ request }) => request.trigger === 'revalidate')
  }
})

function addImage(hub: ScriptedRegistry, number: number): void {
  const config = Buffer.from(`{"number":${number}}`)
  const digest = hub.addBlob('hub/app', config)
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: config.length },
      layers: [],
    }),
  )
  hub.addManifest('hub/app', `${number}`, manifest, MANIFEST)
}
