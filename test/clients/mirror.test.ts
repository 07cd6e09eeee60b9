import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD, startContainerd } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE, startDockerEngine } from '../support/clients/docker-engine.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { buildImage, type BuiltImage } from '../support/images/image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { eventually } from '../support/eventually.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { digestAt, type Site, startSite } from '../e2e/site.ts'

const noContainerd = await whyNoContainers(CONTAINERD)
const noDocker = await whyNoContainers(DOCKER_ENGINE)

async function publish(registry: TestRegistry, repository: string): Promise<BuiltImage> {
  const image = await buildImage({ index: false })
  await pushOverHttp(image, { url: registry.url, repository, tag: '1.0' })
  return image
}

describe('the gateway as a mirror, of names that stay those of their registries', () => {
  let lab: TestRegistry
  let site: Site

  beforeAll(async () => {
    lab = await startRegistry()
    site = await startSite({
      upstreamConfig: `  lab:\n    url: ${lab.url}`,
      project: `    onMiss: stream
  - name: "*"
    upstream: [hq, lab]
    onMiss: stream
    onHit: check
    revalidateAfter: 0s`,
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await lab[Symbol.asyncDispose]()
  })

  // The client has all of it a moment before the local registry has its tag.
  const landed = async (name: string, { top }: BuiltImage) => {
    await eventually(async () => (await digestAt(site.local, name)) === top.digest)
  }

  const writeHosts = async (folder: string, { host }: TestRegistry) => {
    await mkdir(join(folder, host))
    await writeFile(join(folder, host, 'hosts.toml'), hostsToml(site.gateway))
  }

  it.skipIf(noContainerd !== undefined)(
    'of two registries for containerd: the host of the name chooses the upstream',
    async (context) => {
      await using folder = await tempFolder('hosts')
      await using atHq = await publish(site.upstream, 'one/app')
      await using elsewhere = await publish(site.upstream, 'two/app')
      await using atLab = await publish(lab, 'two/app')
      for (const registry of [site.upstream, lab]) await writeHosts(folder.path, registry)
      const start = () => startContainerd({ hostsFolder: folder.path })
      await using containerd = await startedOr((why) => context.skip(why), start)

      for (const name of [`${site.upstream.host}/one/app:1.0`, `${lab.host}/two/app:1.0`]) {
        expect(await containerd.pull(name)).toMatchObject({ code: 0 })
      }

      await landed('one/app:1.0', atHq)
      await landed('two/app:1.0', atLab)
      expect(elsewhere.top.digest).not.toBe(atLab.top.digest)
    },
  )

  it.skipIf(noContainerd !== undefined)(
    'gives containerd the new image when the tag has moved in the registry of the name',
    { timeout: 120_000 },
    async (context) => {
      await using folder = await tempFolder('hosts')
      await writeHosts(folder.path, lab)
      const start = () => startContainerd({ hostsFolder: folder.path })
      await using containerd = await startedOr((why) => context.skip(why), start)
      const name = `${lab.host}/three/moved:1.0`
      await using before = await publish(lab, 'three/moved')
      expect(await containerd.pull(name)).toMatchObject({ code: 0 })
      await landed('three/moved:1.0', before)
      await using after = await publish(lab, 'three/moved')

      expect(await containerd.pull(name)).toMatchObject({ code: 0 })

      await landed('three/moved:1.0', after)
      const blobs = after.blobs.map(({ digest }) => digest)
      const fetched = () =>
        lab
          .requests({ method: 'GET', path: /three\/moved\/blobs/ })
          .map(({ path }) => path.slice(path.indexOf('sha256:')))
          .filter((digest) => blobs.some((blob) => blob === digest))
      // A registry logs what it has answered.
      await eventually(() => fetched().length >= blobs.length)
      expect(fetched().toSorted()).toEqual(blobs.toSorted())
    },
  )

  it.skipIf(noDocker !== undefined)(
    'of Docker Hub for Docker Engine: names without a registry come through it',
    async (context) => {
      await using image = await publish(site.upstream, 'team/hub')
      const registryMirrors = [`http://${site.gateway}`]
      const start = () => startDockerEngine({ registryMirrors })
      await using docker = await startedOr((why) => context.skip(why), start)

      expect(await docker.pull('team/hub:1.0')).toMatchObject({ code: 0 })

      await landed('team/hub:1.0', image)
    },
  )
})

/** As in docs/clients.md; the registry itself is out of reach here, so that only the mirror can help. */
function hostsToml(gateway: string): string {
  return `server = "http://127.0.0.1:1"

[host."http://${gateway}"]
  capabilities = ["pull", "resolve"]
`
}
