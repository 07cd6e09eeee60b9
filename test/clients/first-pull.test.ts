import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ContainerClient, type Login, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE } from '../support/clients/docker-engine.ts'
import { PODMAN, SKOPEO } from '../support/clients/podman.ts'
import { LIST_FILES, type RunnableImage, runnableImage } from '../support/clients/runnable-image.ts'
import { eventually } from '../support/eventually.ts'
import type { BuiltImage } from '../support/images/image.ts'
import { startTokenService, type TokenService } from '../support/registry/token-service.ts'
import { type Site, startSite } from '../e2e/site.ts'

const LOGIN = { username: 'pullsync', password: 'correct-horse' }
const MODES = ['stream', 'hold', 'async'] as const
const kinds = await Promise.all(
  [SKOPEO, PODMAN, DOCKER_ENGINE, CONTAINERD].map(async (kind) => ({
    name: kind.name,
    kind,
    whyNot: await whyNoContainers(kind),
  })),
)

function project(mode: string): string {
  return `  - name: ${mode}\n    upstream: hq\n    onMiss: ${mode}\n    holdFor: 20s`
}

describe.each([
  ['an open local registry', undefined],
  ['a local registry with a token service', LOGIN],
])('the very first pull, with %s', (_, login: Login | undefined) => {
  let site: Site
  let content: RunnableImage
  let tokens: TokenService | undefined

  beforeAll(async () => {
    tokens = login === undefined ? undefined : await startTokenService(login)
    content = await runnableImage()
    site = await startSite({
      workers: 2,
      project: ['    onMiss: stream', ...MODES.map(project)].join('\n'),
      ...(tokens !== undefined && {
        local: { tokenAuth: tokens.tokenAuth },
        localConfig: `  username: ${LOGIN.username}\n  password: ${LOGIN.password}\n  trustedHosts: [127.0.0.1]`,
      }),
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await content[Symbol.asyncDispose]()
    await tokens?.[Symbol.asyncDispose]()
  })

  describe.each(kinds)('by $name', ({ kind, whyNot }) => {
    let client: ContainerClient | undefined
    let problem: unknown

    beforeAll(async () => {
      if (whyNot !== undefined) return
      // Not of pullsync's doing: the machine lacks something that engines want.
      client = await kind.start().catch((error: unknown) => {
        problem = error
        return undefined
      })
    })

    afterAll(async () => {
      await client?.[Symbol.asyncDispose]()
    })

    it.skipIf(whyNot !== undefined).for(MODES)(
      'works with %s, and what runs has every file',
      async (mode, context) => {
        if (client === undefined) {
          return context.skip(`${kind.name} did not start: ${String(problem)}`)
        }
        const repository = `${mode}/${kind.name.toLowerCase().replace(' ', '-')}`
        const image = await site.publish(`${repository}:1.0`, content.options)
        const name = `${site.gateway}/${repository}:1.0`

        if (mode === 'async') await pullTwice(client, name, login)
        else expect(await client.pull(name, login)).toMatchObject({ code: 0 })

        expect(await client.run(name, LIST_FILES)).toBe(content.files)
        expect(blobGets(site, image)).toEqual(image.blobs.map(() => 1))
      },
    )
  })

  /** The first one is a miss like any other; the image is on its way after it. */
  async function pullTwice(client: ContainerClient, name: string, login?: Login) {
    const first = await client.pull(name, login)
    expect(first.code).not.toBe(0)
    expect(first.output).toMatch(/not found|manifest unknown/i)
    await eventually(async () => (await client.pull(name, login)).code === 0, {
      describe: `${name} to be pulled after its copy`,
    })
  }
})

/** How often upstream was asked for each blob. */
function blobGets(site: Site, image: BuiltImage): readonly number[] {
  const repository = '/v2/[^/]+/[^/]+'
  return image.blobs.map(
    ({ digest }) =>
      site.upstream.requests({ method: 'GET', path: new RegExp(`^${repository}/blobs/${digest}$`) })
        .length,
  )
}
