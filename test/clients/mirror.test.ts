import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD, startContainerd } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE, startDockerEngine } from '../support/clients/docker-engine.ts'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { buildImage, type BuiltImage } from '../support/image.ts'
import { pushOverHttp } from '../support/push-over-http.ts'
import { tempFolder } from '../support/temp-folder.ts'
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
      project: '    onMiss: stream\n  - name: "*"\n    upstream: [hq, lab]\n    onMiss: stream',
    })
  }, 60_000)

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await lab[Symbol.asyncDispose]()
  })

  it.skipIf(noContainerd !== undefined)(
    'of two registries for containerd: the host of the name chooses the upstream',
    async (context) => {
      await using folder = await tempFolder('hosts')
      await using atHq = await publish(site.upstream, 'one/app')
      await using elsewhere = await publish(site.upstream, 'two/app')
      await using atLab = await publish(lab, 'two/app')
      for (const { host } of [site.upstream, lab]) {
        await mkdir(join(folder.path, host))
        await writeFile(join(folder.path, host, 'hosts.toml'), hostsToml(site.gateway))
      }
      const start = () => startContainerd({ hostsFolder: folder.path })
      await using containerd = await startedOr((why) => context.skip(why), start)

      for (const name of [`${site.upstream.host}/one/app:1.0`, `${lab.host}/two/app:1.0`]) {
        expect(await containerd.pull(name)).toMatchObject({ code: 0 })
      }

      expect(await digestAt(site.local, 'one/app:1.0')).toBe(atHq.top.digest)
      expect(await digestAt(site.local, 'two/app:1.0')).toBe(atLab.top.digest)
      expect(elsewhere.top.digest).not.toBe(atLab.top.digest)
    },
    60_000,
  )

  it.skipIf(noDocker !== undefined)(
    'of Docker Hub for Docker Engine: names without a registry come through it',
    async (context) => {
      await using image = await publish(site.upstream, 'team/hub')
      const registryMirrors = [`http://${site.gateway}`]
      const start = () => startDockerEngine({ registryMirrors })
      await using docker = await startedOr((why) => context.skip(why), start)

      expect(await docker.pull('team/hub:1.0')).toMatchObject({ code: 0 })

      expect(await digestAt(site.local, 'team/hub:1.0')).toBe(image.top.digest)
    },
    60_000,
  )
})

/** As in docs/clients.md; the registry itself is out of reach here, so that only the mirror can help. */
function hostsToml(gateway: string): string {
  return `server = "http://127.0.0.1:1"

[host."http://${gateway}"]
  capabilities = ["pull", "resolve"]
`
}
