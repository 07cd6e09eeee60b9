import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { startChild } from '../process/child.ts'
import { tempFolder } from '../process/temp-folder.ts'
import { type ClientKind, type ContainerClient, printed, pulled } from './client.ts'
import { unmountBelow } from './docker-engine.ts'

export interface ContainerdOptions {
  /** The folder of `hosts.toml` files: `<folder>/<registry>/hosts.toml`. */
  readonly hostsFolder?: string
}

export const CONTAINERD: ClientKind = {
  name: 'containerd',
  programs: ['containerd', 'ctr', 'runc', 'busybox'],
  start: () => startContainerd(),
}

/** A containerd with storage and socket of its own, used through `ctr`. */
export async function startContainerd({
  hostsFolder,
}: ContainerdOptions = {}): Promise<ContainerClient> {
  const folder = await tempFolder('containerd')
  const at = (name: string) => join(folder.path, name)
  const configFile = at('config.toml')
  await writeFile(
    configFile,
    [
      'version = 2',
      `root = ${JSON.stringify(at('root'))}`,
      `state = ${JSON.stringify(at('state'))}`,
      // Kubernetes' side wants networks that are not there.
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = ${JSON.stringify(at('containerd.sock'))}`,
      '',
    ].join('\n'),
  )
  const daemon = await startChild({
    command: 'containerd',
    args: ['--config', configFile],
    lastSignal: 'SIGTERM',
  })
  await daemon.waitForOutput(/containerd successfully booted/)
  const ctr = ['--address', at('containerd.sock')]
  const hosts = hostsFolder === undefined ? ['--plain-http'] : ['--hosts-dir', hostsFolder]
  return {
    pull(image, login) {
      const user = login === undefined ? [] : ['--user', `${login.username}:${login.password}`]
      return pulled('ctr', [...ctr, 'images', 'pull', ...hosts, ...user, image])
    },
    push: (image, as) => pulled('ctr', [...ctr, 'images', 'push', ...hosts, as, image]),
    run: (image, command) =>
      printed('ctr', [...ctr, 'run', '--rm', image, `test-${randomUUID()}`, ...command]),
    async [Symbol.asyncDispose]() {
      await daemon.stop(20_000)
      await unmountBelow(folder.path)
      await folder[Symbol.asyncDispose]()
    },
  }
}
