import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE } from '../support/clients/docker-engine.ts'
import { PODMAN, SKOPEO } from '../support/clients/podman.ts'
import { COPIERS } from '../support/clients/copiers.ts'
import { type RunnableImage, runnableImage } from '../support/clients/runnable-image.ts'
import { lacking } from '../support/images/held-whole.ts'
import { buildImage } from '../support/images/image.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { arrives, digestAt, type Site, startSite } from '../e2e/site.ts'

const MODES = ['stream', 'hold'] as const
const ENGINES = await Promise.all(
  [PODMAN, SKOPEO, DOCKER_ENGINE, CONTAINERD].map(async (kind) => ({
    name: kind.name,
    kind,
    whyNot: await whyNoContainers(kind),
  })),
)

describe('a push through the gateway, of what shares parts with an image upstream', () => {
  let site: Site
  let content: RunnableImage

  beforeAll(async () => {
    content = await runnableImage()
    const projects = MODES.map((mode) => `  - { name: ${mode}, upstream: hq, onMiss: ${mode} }`)
    site = await startSite({ project: projects.join('\n') })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await content[Symbol.asyncDispose]()
  })

  describe.each(COPIERS)('by $name', ({ name, push, pull, whyNot, wraps = false }) => {
    it.skipIf(whyNot !== undefined).for(MODES)(
      `leaves the whole index here, the tag as pushed, with %s${whyNot ?? ''}`,
      async (mode) => {
        const repository = `${mode}/${name}`
        // Another image of the same name, with the same image for one of its platforms.
        const seed = repository
        await site.publish(`${repository}:1.0`, { seed, platforms: ['linux/amd64', 'linux/arm64'] })
        const platforms = ['linux/amd64', 'linux/s390x', 'linux/ppc64le']
        await using mine = await buildImage({ seed, platforms })

        const pushed = await push(mine.folder, `${site.gateway}/${repository}:1.0`)

        expect(pushed).toMatchObject({ code: 0 })
        expect(await lacking(site.local, repository, '1.0')).toEqual([])
        const held = wraps ? mine.top.digest : '1.0'
        expect(await digestAt(site.local, `${repository}@${held}`)).toBe(mine.top.digest)
      },
    )

    it.skipIf(whyNot !== undefined).for(MODES)(
      `keeps nobody from a first pull by tag and by digest, with %s${whyNot ?? ''}`,
      async (mode) => {
        await using folder = await tempFolder('pulled')
        const image = await site.publish(`${mode}/${name}-pulled:1.0`)
        const other = await site.publish(`${mode}/${name}-other:1.0`)
        const names = [
          `${mode}/${name}-pulled:1.0`,
          `${mode}/${name}-other@${other.top.digest}`,
        ] as const

        for (const [i, source] of names.entries()) {
          const pulled = await pull(`${site.gateway}/${source}`, join(folder.path, `${i}`))
          expect(pulled).toMatchObject({ code: 0 })
        }

        await arrives(site, names[0], image)
        await arrives(site, names[1], other)
      },
    )
  })

  describe.each(ENGINES)('by $name', ({ name, kind, whyNot }) => {
    it.skipIf(whyNot !== undefined).for(MODES)(
      `leaves the whole image here, with %s${whyNot ?? ''}`,
      async (mode, context) => {
        await using engine = await startedOr((why) => context.skip(why), kind.start)
        const repository = `${mode}/${name.toLowerCase().replace(' ', '-')}-engine`
        const image = { ...content.options, index: false }
        await site.publish(`${repository}:base`, image)
        await site.publish(`${repository}:1.0`, image)
        const base = `${site.upstream.host}/${repository}:base`
        expect(await engine.pull(base)).toMatchObject({ code: 0 })

        const pushed = await engine.push(base, `${site.gateway}/${repository}:1.0`)

        expect(pushed).toMatchObject({ code: 0 })
        expect(await lacking(site.local, repository, '1.0')).toEqual([])
        const theirs = await digestAt(site.upstream, `${repository}:1.0`)
        expect(await digestAt(site.local, `${repository}:1.0`)).not.toBe(theirs)
      },
    )
  })
})
