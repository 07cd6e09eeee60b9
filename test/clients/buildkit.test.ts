import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuildKit, startBuildKit } from '../support/clients/buildkit.ts'
import { type RunnableImage, runnableImage } from '../support/clients/runnable-image.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { lacking } from '../support/images/held-whole.ts'
import { arrives, digestAt, type Site, startSite } from '../e2e/site.ts'

const DAEMON = goProgram('buildkitd')

describe.skipIf(DAEMON === undefined)(`BuildKit${missingProgram('buildkitd')}`, () => {
  let site: Site
  let content: RunnableImage
  let buildkit: BuildKit

  beforeAll(async () => {
    content = await runnableImage()
    site = await startSite()
    buildkit = await startBuildKit([site.gateway, site.upstream.host])
  })

  afterAll(async () => {
    await buildkit[Symbol.asyncDispose]()
    await site[Symbol.asyncDispose]()
    await content[Symbol.asyncDispose]()
  })

  const publish = (name: string) =>
    site.publish(name, { ...content.options, platforms: ['linux/amd64', 'linux/arm64'] })
  const asked = (path: RegExp, method: string) =>
    site.local.requests({ method, path, userAgent: /buildkit/ })

  it('builds from a base that is not here yet, and pushes with provenance', async () => {
    const base = await publish('team/base:1.0')
    const name = `${site.gateway}/team/built:1.0`

    const built = await buildkit.build(
      `FROM ${site.gateway}/team/base:1.0\nCOPY hello /hello\n`,
      ...['--opt', 'attest:provenance=mode=max'],
      ...['--output', `type=image,name=${name},push=true`],
    )

    expect(built).toMatchObject({ code: 0 })
    expect(await digestAt(site.local, 'team/built:1.0')).toBeDefined()
    expect(await lacking(site.local, 'team/built', '1.0')).toEqual([])
    await arrives(site, 'team/base:1.0', base)
  })

  it('builds from a base whose manifest it knows, and whose layers are not here', async () => {
    const base = await publish('team/known:1.0')
    // The configuration is enough for that: no layer is fetched.
    const first = await buildkit.build(`FROM ${site.upstream.host}/team/known:1.0\nLABEL a=b\n`)
    expect(first).toMatchObject({ code: 0 })

    const second = await buildkit.build(
      `FROM ${site.gateway}/team/known:1.0\nCOPY hello /hello\n`,
      ...['--output', `type=image,name=${site.gateway}/team/from-known:1.0,push=true`],
    )

    expect(second).toMatchObject({ code: 0 })
    expect(asked(/team\/known\/manifests/, 'HEAD').length).toBeGreaterThan(0)
    expect(asked(/team\/known\/manifests/, 'GET')).toEqual([])
    await arrives(site, 'team/known:1.0', base)
  })

  it('exports its cache through the gateway, and imports it', async () => {
    await publish('team/cached:1.0')
    const dockerfile = `FROM ${site.gateway}/team/cached:1.0\nCOPY hello /hello\nCOPY hello /again\n`
    const cache = `type=registry,ref=${site.gateway}/team/cache:1.0`

    const exported = await buildkit.build(dockerfile, '--export-cache', `${cache},mode=max`)
    await buildkit.prune()
    const imported = await buildkit.build(dockerfile, '--import-cache', cache)

    expect(exported).toMatchObject({ code: 0 })
    expect(imported).toMatchObject({ code: 0 })
    expect(imported.output).toMatch(/CACHED/)
  })
})
