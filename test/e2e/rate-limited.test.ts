import { expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { refuse, startScriptedRegistry } from '../support/scripted-registry.ts'
import { startSite } from './site.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

it('the Retry-After of one answer is obeyed by two worker processes', async () => {
  await using hub = await startScriptedRegistry()
  const asked: number[] = []
  let refusedAt = 0
  for (let number = 0; number < 20; number += 1) addImage(number)
  hub.script({ method: 'GET', path: /\/manifests\/\d+$/ }, ({ serve }) => {
    asked.push(performance.now())
    return serve()
  })
  hub.script({ path: /\/manifests\/first$/, times: 1 }, ({ response }) => {
    refusedAt = performance.now()
    response.setHeader('retry-after', '3')
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
  const tooEarly = asked.filter((at) => at - refusedAt < 3_000)
  expect(tooEarly).toEqual([])
  const busy = () =>
    site.workers.filter((worker) => worker.output().some((line) => line.includes('job ended')))
  await eventually(() => busy().length === 2, { describe: 'both workers to have had jobs' })

  function addImage(number: number): void {
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

  async function heldForMs(): Promise<number> {
    const { stdout } = await site.serve.run(['status', '--json'])
    const all = JSON.parse(stdout) as readonly { upstream: string; heldForMs: number }[]
    return all.find(({ upstream }) => upstream === 'hub')?.heldForMs ?? 0
  }
})
