import { join } from 'node:path'
import { skopeo } from '../images/skopeo.ts'
import { tempFolder, type TempFolder } from '../process/temp-folder.ts'
import { type ClientKind, type ContainerClient, printed, pulled } from './client.ts'
import { unmountBelow } from './docker-engine.ts'

export const PODMAN: ClientKind = {
  name: 'podman',
  programs: ['podman', 'conmon', 'runc', 'busybox'],
  start: startPodman,
}

/** skopeo copies; podman runs what is in the storage that both know. */
export const SKOPEO: ClientKind = {
  name: 'skopeo',
  programs: ['skopeo', ...PODMAN.programs],
  start: startSkopeo,
}

async function startPodman(): Promise<ContainerClient> {
  const folder = await tempFolder('podman')
  const storage = storageIn(folder)
  return {
    pull(image, login) {
      const user = login === undefined ? [] : ['--creds', `${login.username}:${login.password}`]
      return pulled('podman', [...storage, 'pull', '--tls-verify=false', ...user, image])
    },
    push: (image, as) =>
      pulled('podman', [...storage, 'push', '--tls-verify=false', image, `docker://${as}`]),
    ...podmanRunner(folder),
  }
}

async function startSkopeo(): Promise<ContainerClient> {
  const folder = await tempFolder('skopeo')
  const at = (name: string) => join(folder.path, name)
  const stored = (image: string) =>
    `containers-storage:[overlay@${at('root')}+${at('run')}]${image}`
  return {
    async pull(image, login) {
      const user = login === undefined ? [] : ['--src-creds', `${login.username}:${login.password}`]
      const args = ['copy', '--src-tls-verify=false', ...user, `docker://${image}`, stored(image)]
      const { code, stdout, stderr } = await skopeo(args)
      return { code, output: `${stdout}${stderr}` }
    },
    async push(image, as) {
      const args = ['copy', '--dest-tls-verify=false', stored(image), `docker://${as}`]
      const { code, stdout, stderr } = await skopeo(args)
      return { code, output: `${stdout}${stderr}` }
    },
    ...podmanRunner(folder),
  }
}

export function podmanRunner(
  folder: TempFolder,
): Pick<ContainerClient, 'run' | typeof Symbol.asyncDispose> {
  return {
    run: (image, command) =>
      printed('podman', [
        ...storageIn(folder),
        ...['run', '--rm', '--network=none', '--pull=never'],
        // Left alone, it raises both to more than a container around the tests may allow.
        ...['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'],
        ...[image, ...command],
      ]),
    async [Symbol.asyncDispose]() {
      await unmountBelow(folder.path)
      await folder[Symbol.asyncDispose]()
    },
  }
}

export function storageIn(folder: TempFolder): readonly string[] {
  const at = (name: string) => join(folder.path, name)
  return [
    ...['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp')],
    ...['--storage-driver', 'overlay', '--events-backend', 'none', '--cgroup-manager', 'cgroupfs'],
    // As Docker and containerd have it, and unlike crun on machines with both versions of cgroups.
    '--runtime=runc',
  ]
}
