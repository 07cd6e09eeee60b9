import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { pulled, startedOr, whyNoContainers } from '../support/clients/client.ts'
import { CONTAINERD, startContainerd } from '../support/clients/containerd.ts'
import { DOCKER_ENGINE, startDockerEngine } from '../support/clients/docker-engine.ts'
import { PODMAN } from '../support/clients/podman.ts'
import { buildImage } from '../support/images/image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { run } from '../support/process/run.ts'
import { tempFolder, type TempFolder } from '../support/process/temp-folder.ts'
import { arrives, type Site, startSite } from '../e2e/site.ts'

const noContainerd = await whyNoContainers(CONTAINERD)
const noDocker = await whyNoContainers(DOCKER_ENGINE)
const noPodman = await whyNoContainers(PODMAN)

describe('what is printed for nodes', () => {
  let site: Site
  let folder: TempFolder

  beforeAll(async () => {
    folder = await tempFolder('nodes')
    site = await startSite({
      upstreamConfig: '  hub:\n    url: https://registry-1.docker.io',
      project: '    onMiss: stream\n  - { name: library, upstream: hq }',
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  async function printed(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await site.serve.run(['print', ...args])
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  async function publish(repository: string) {
    const image = await buildImage({ index: false })
    await pushOverHttp(image, { url: site.upstream.url, repository, tag: '1.0' })
    return image
  }

  it.skipIf(noContainerd !== undefined)(
    'hosts.toml makes containerd pull through the gateway, whether as a file or as commands',
    async (context) => {
      await using image = await publish('team/for-containerd')
      const certs = join(folder.path, 'certs.d')
      await mkdir(join(certs, site.upstream.host), { recursive: true })
      const file = await printed('hosts.toml', 'hq')
      await writeFile(join(certs, site.upstream.host, 'hosts.toml'), file)
      const all = await printed('hosts.toml')
      const commands = all.replaceAll('/etc/containerd/certs.d', join(folder.path, 'again'))
      expect(await run('sh', ['-euc', commands])).toMatchObject({ code: 0 })
      const compared = await run('diff', [
        ...['--recursive', '--ignore-matching-lines=^#', '--ignore-blank-lines'],
        ...[join(certs, site.upstream.host), join(folder.path, 'again', site.upstream.host)],
      ])
      expect(compared.stdout.toString()).toBe('')
      const start = () => startContainerd({ hostsFolder: join(folder.path, 'again') })
      await using containerd = await startedOr((why) => context.skip(why), start)

      const name = `${site.upstream.host}/team/for-containerd:1.0`
      expect(await containerd.pull(name)).toMatchObject({ code: 0 })

      await arrives(site, 'team/for-containerd:1.0', image)
    },
  )

  it.skipIf(noPodman !== undefined)('registries.conf makes podman pull through it', async () => {
    await using image = await publish('team/for-podman')
    const file = join(folder.path, 'registries.conf')
    await writeFile(file, await printed('podman', 'hq'))
    const at = (name: string) => join(folder.path, name)

    const { code, output } = await pulled(
      'podman',
      [
        ...['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp')],
        ...['--storage-driver', 'vfs', '--events-backend', 'none'],
        ...['pull', `${site.upstream.host}/team/for-podman:1.0`],
      ],
      { env: { CONTAINERS_REGISTRIES_CONF: file } },
    )

    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' })
    await arrives(site, 'team/for-podman:1.0', image)
    expect(await printed('crio', 'hq')).toContain('systemctl reload crio')
  })

  it.skipIf(noDocker !== undefined)(
    "daemon.json makes Docker pull Docker Hub's images through it",
    async (context) => {
      await using image = await publish('library/for-docker')
      const daemonJson = await printed('docker')
      const start = () => startDockerEngine({ daemonJson })
      await using docker = await startedOr((why) => context.skip(why), start)

      expect(await docker.pull('for-docker:1.0')).toMatchObject({ code: 0 })

      await arrives(site, 'library/for-docker:1.0', image)
    },
  )

  it('registries.yaml has an endpoint for each upstream, under the name that images have', async () => {
    const gateway = 'https://registry.edge.example'

    const text = await printed('k3s', '--gateway', gateway, '--ca', '/etc/ssl/edge.pem')

    expect(parse(text)).toEqual({
      mirrors: {
        [site.upstream.host]: { endpoint: [gateway] },
        'docker.io': { endpoint: [gateway] },
      },
      configs: { 'registry.edge.example': { tls: { ca_file: '/etc/ssl/edge.pem' } } },
    })
  })
})
