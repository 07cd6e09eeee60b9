import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '../process/child.ts'
import { eventually } from '../eventually.ts'
import { run } from '../process/run.ts'
import { tempFolder } from '../process/temp-folder.ts'
import { type ClientKind, type ContainerClient, printed, pulled } from './client.ts'

export interface DockerEngineOptions {
  /** Addresses that stand in for Docker Hub, as in `daemon.json`. */
  readonly registryMirrors?: readonly string[]
  /** The whole of `daemon.json`. */
  readonly daemonJson?: string
}

export const DOCKER_ENGINE: ClientKind = {
  name: 'Docker Engine',
  programs: ['dockerd', 'docker', 'containerd', 'runc', 'busybox'],
  start: () => startDockerEngine(),
}

/** A Docker Engine with storage and socket of its own, and no network of its own. */
export async function startDockerEngine({
  registryMirrors = [],
  daemonJson = '{}',
}: DockerEngineOptions = {}): Promise<ContainerClient> {
  const folder = await tempFolder('docker')
  const at = (name: string) => join(folder.path, name)
  const host = `unix://${at('docker.sock')}`
  // Instead of this machine's own.
  const configFile = at('daemon.json')
  await writeFile(configFile, daemonJson)
  const daemon = await startChild({
    command: 'dockerd',
    args: [
      ...['--host', host, '--pidfile', at('docker.pid'), '--config-file', configFile],
      ...['--data-root', at('data'), '--exec-root', at('exec')],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
      ...registryMirrors.map((mirror) => `--registry-mirror=${mirror}`),
    ],
    // It has a containerd and mounts to end.
    lastSignal: 'SIGTERM',
  })
  // Instead of the logins and the context of whoever runs the tests.
  const env = { DOCKER_CONFIG: at('config'), DOCKER_HOST: host, DOCKER_CONTEXT: '' }
  await daemon.waitForOutput(/API listen on/)
  return {
    async pull(image, login) {
      if (login !== undefined) {
        const { username, password } = login
        const registry = image.slice(0, image.indexOf('/'))
        const args = ['login', '--username', username, '--password', password, registry]
        await printed('docker', args, { env })
      }
      return await pulled('docker', ['pull', image], { env })
    },
    async push(image, as) {
      await printed('docker', ['tag', image, as], { env })
      return await pulled('docker', ['push', as], { env })
    },
    run: (image, command) =>
      printed('docker', ['run', '--rm', '--network=none', image, ...command], { env }),
    async [Symbol.asyncDispose]() {
      await daemon.stop(20_000)
      await unmountBelow(folder.path)
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** What an engine that ended in a hurry left mounted, so that its folder can be removed. */
export async function unmountBelow(folder: string): Promise<void> {
  await eventually(
    async () => {
      const mounts = await printed('findmnt', ['--raw', '--noheadings', '--output', 'TARGET'])
      const own = mounts.split('\n').filter((target) => target.startsWith(`${folder}/`))
      for (const target of own.reverse()) await run('umount', [target])
      return own.length === 0
    },
    { describe: `everything below ${folder} to be unmounted` },
  )
}
