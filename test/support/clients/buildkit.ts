import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '../process/child.ts'
import { goProgram } from '../process/go-program.ts'
import { tempFolder } from '../process/temp-folder.ts'
import { type Pulled, pulled } from './client.ts'
import { unmountBelow } from './docker-engine.ts'

/** A build daemon with storage and socket of its own. */
export interface BuildKit extends AsyncDisposable {
  /**
   * Builds one Dockerfile, of which `COPY hello` finds a file.
   *
   * @param options of `buildctl build`, such as `--output`
   */
  readonly build: (dockerfile: string, ...options: readonly string[]) => Promise<Pulled>
  /** Forgets all that was built and pulled. */
  readonly prune: () => Promise<Pulled>
}

/** @param registries that speak plain http, as they stand in image names */
export async function startBuildKit(registries: readonly string[]): Promise<BuildKit> {
  const folder = await tempFolder('buildkit')
  const at = (name: string) => join(folder.path, name)
  const [daemonProgram, client] = [goProgram('buildkitd') ?? '', goProgram('buildctl') ?? '']
  const plain = registries.map(
    (registry) => `[registry.${JSON.stringify(registry)}]\nhttp = true\n`,
  )
  await writeFile(at('buildkitd.toml'), plain.join(''))
  await mkdir(at('context'))
  await writeFile(at('context/hello'), 'hello')
  const address = `unix://${at('socket')}`
  const daemon = await startChild({
    command: daemonProgram,
    args: [
      ...['--root', at('root'), '--addr', address, '--config', at('buildkitd.toml')],
      ...['--oci-worker=true', '--containerd-worker=false', '--oci-worker-snapshotter=native'],
    ],
    lastSignal: 'SIGTERM',
  })
  await daemon.waitForOutput(/running server on/)
  return {
    async build(dockerfile, ...options) {
      await writeFile(at('context/Dockerfile'), dockerfile)
      const context = ['context', 'dockerfile'].flatMap((name) => [
        ...['--local', `${name}=${at('context')}`],
      ])
      const frontend = ['--frontend', 'dockerfile.v0', ...context]
      return await pulled(client, ['--addr', address, 'build', ...frontend, ...options])
    },
    prune: () => pulled(client, ['--addr', address, 'prune', '--all']),
    async [Symbol.asyncDispose]() {
      await daemon.stop(20_000)
      await unmountBelow(folder.path)
      await folder[Symbol.asyncDispose]()
    },
  }
}
