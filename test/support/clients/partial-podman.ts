import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tempFolder } from '../process/temp-folder.ts'
import { printed, type Pulled, pulled } from './client.ts'
import { podmanRunner, storageIn } from './podman.ts'

/** podman that asks for those parts of a zstd:chunked layer alone that it lacks, with a storage of its own. */
export interface PartialPodman extends AsyncDisposable {
  /** What it prints names every layer that came in parts. */
  readonly pull: (image: string) => Promise<Pulled>
  readonly run: (image: string, command: readonly string[]) => Promise<string>
  /** Pushes what is in a folder as an image of one zstd:chunked layer. */
  readonly publish: (folder: string, image: string) => Promise<Pulled>
}

export async function startPartialPodman(): Promise<PartialPodman> {
  const folder = await tempFolder('partial-podman')
  const at = (name: string) => join(folder.path, name)
  const storage = storageIn(folder)
  await writeFile(at('storage.conf'), storageConf(at))
  const env = { CONTAINERS_STORAGE_CONF: at('storage.conf') }
  const debug = ['--log-level', 'debug']
  return {
    pull: (image) =>
      pulled('podman', [...storage, ...debug, 'pull', '--tls-verify=false', image], { env }),
    async publish(packed, image) {
      const tar = at('layer.tar')
      await printed('tar', ['-C', packed, '--owner=0', '--group=0', '-cf', tar, '.'])
      await printed('podman', [...storage, 'import', tar, image], { env })
      const chunked = ['--compression-format', 'zstd:chunked']
      return await pulled('podman', [...storage, 'push', '--tls-verify=false', ...chunked, image])
    },
    ...podmanRunner(folder),
  }
}

function storageConf(at: (name: string) => string): string {
  const options = 'enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""'
  return [
    '[storage]\ndriver = "overlay"',
    `graphroot = ${JSON.stringify(at('root'))}`,
    `runroot = ${JSON.stringify(at('run'))}`,
    `[storage.options]\npull_options = { ${options} }\n`,
  ].join('\n')
}
