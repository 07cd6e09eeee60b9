import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD, startContainerd } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE } from '../support/clients/docker-engine.ts'
import { PODMAN } from '../support/clients/podman.ts'
import { LIST_FILES, type RunnableImage, runnableImage } from '../support/clients/runnable-image.ts'
import { eventually } from '../support/eventually.ts'
import { loggedRequests } from '../support/registry/logged-requests.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import type { BuiltImage } from '../support/images/image.ts'
import { arrives, digestAt, type Site, startSite } from '../e2e/site.ts'

const ENGINES = await Promise.all(
  [PODMAN, DOCKER_ENGINE, CONTAINERD].map(async (kind) => ({
    name: kind.name,
    kind,
    whyNot: await whyNoContainers(kind),
  })),
)
const DISTRIBUTION_3 = goProgram('distribution3')

let content: RunnableImage

beforeAll(async () => {
  content = await runnableImage()
})

afterAll(async () => {
  await content[Symbol.asyncDispose]()
})

describe.each(ENGINES)('$name', ({ name, kind, whyNot }) => {
  const repository = `team/${name.toLowerCase().replace(' ', '-')}`
  let site: Site

  beforeAll(async () => {
    site = await startSite({ project: '    onHit: check\n    revalidateAfter: 0s' })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  it.skipIf(whyNot !== undefined)(
    'pulls what is not here by a tag and the digest that it had',
    async (context) => {
      await using engine = await startedOr((why) => context.skip(why), kind.start)
      const image = await site.publish(`${repository}:1.0`, content.options)
      await site.publish(`${repository}:1.0`, content.options)
      const name = `${site.gateway}/${repository}:1.0@${image.top.digest}`

      expect(await engine.pull(name)).toMatchObject({ code: 0 })

      await eventually(() => digestAt(site.local, `${repository}@${image.top.digest}`), {
        describe: 'the image to be here',
      })
    },
  )

  it.skipIf(whyNot !== undefined)(
    'gets the new image when the tag has moved, with one fetch of each',
    async (context) => {
      await using engine = await startedOr((why) => context.skip(why), kind.start)
      const tag = `${repository}-moved:1.0`
      const before = await site.publish(tag, content.options)
      expect(await engine.pull(`${site.gateway}/${tag}`)).toMatchObject({ code: 0 })
      await arrives(site, tag, before)
      const after = await site.publish(tag, content.options)

      expect(await engine.pull(`${site.gateway}/${tag}`)).toMatchObject({ code: 0 })

      await arrives(site, tag, after)
      expect(await engine.run(`${site.gateway}/${tag}`, LIST_FILES)).toBe(content.files)
      for (const { digest } of own(after, before)) {
        const path = new RegExp(`/blobs/${digest}$`)
        expect(await loggedRequests(site.upstream, { method: 'GET', path })).toHaveLength(1)
      }
    },
  )
})

/** Those blobs that the other has not. */
function own({ blobs }: BuiltImage, other: BuiltImage) {
  const known = new Set(other.blobs.map(({ digest }) => digest))
  return blobs.filter(({ digest }) => !known.has(digest))
}

const noContainerd = await whyNoContainers(CONTAINERD)
const missing = missingProgram('distribution3')

describe.skipIf(noContainerd !== undefined || missing !== '')(
  `containerd, where the local registry takes an index without all its images${missing}`,
  () => {
    it('brings the images of the wanted platforms alone, and runs one', async (context) => {
      await using site = await startSite({
        local: {
          program: DISTRIBUTION_3,
          extraConfig: 'validation: { manifests: { indexes: { platforms: none } } }',
        },
        project: '    platforms: [linux/amd64]',
      })
      await using containerd = await startedOr(
        (why) => context.skip(why),
        () => startContainerd(),
      )
      const image = await site.publish('team/many:1.0', {
        ...content.options,
        platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'],
      })

      const pulled = await containerd.pull(`${site.gateway}/team/many:1.0`)

      expect(pulled).toMatchObject({ code: 0 })
      expect(await containerd.run(`${site.gateway}/team/many:1.0`, LIST_FILES)).toBe(content.files)
      await arrives(site, 'team/many:1.0', image)
      const held = await Promise.all(
        image.manifests.map(({ digest }) => digestAt(site.local, `team/many@${digest}`)),
      )
      const here = image.manifests.filter((_, at) => held[at] !== undefined)
      expect(here.map(({ platform }) => platform)).toEqual(['linux/amd64', undefined])
      const misses = (await site.jobs()).filter(({ request }) => request.trigger === 'miss')
      expect(misses).toHaveLength(1)
    })
  },
)
