import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { goProgram, missingProgram } from '../../test/support/process/go-program.ts'
import { tempFolder } from '../../test/support/process/temp-folder.ts'
import { measuredCommand } from '../copies/measured-command.ts'
import type { PublishedImage } from '../content/publish.ts'
import type { CopierEntry, ImagesCopier } from './images.ts'

/** A program that does nothing but copy, one image after the other, in one process: what the registries themselves cost. */
export function regsyncCopier(): readonly CopierEntry[] {
  const program = goProgram('regsync')
  if (program === undefined) {
    console.error(`no regsync${missingProgram('regsync')}`)
    return []
  }
  return [
    { name: 'regsync', enter: (upstream, local) => copier(program, upstream, local) },
    {
      name: 'regsync, with referrers',
      enter: (upstream, local) =>
        copier(program, upstream, local, ['referrers: true', 'digestTags: true']),
    },
  ]
}

async function copier(
  program: string,
  upstream: TestRegistry,
  local: TestRegistry,
  defaults: readonly string[] = [],
): Promise<ImagesCopier> {
  const folder = await tempFolder('regsync')
  let cpuMs = 0
  return {
    copy: async (images) => {
      const file = join(folder.path, 'regsync.yaml')
      await writeFile(file, configOf(upstream, local, { images, defaults }))
      const usage = await measuredCommand(program, ['once', '-v', 'warn', '-c', file])
      cpuMs += usage.cpuMs
      return usage.ms
    },
    cpuMs: () => cpuMs,
    store: () => Promise.resolve({ cpuMs: 0, commands: 0 }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

interface Plan {
  readonly images: readonly PublishedImage[]
  readonly defaults: readonly string[]
}

function configOf(upstream: TestRegistry, local: TestRegistry, { images, defaults }: Plan): string {
  const hosts = [upstream, local].map(
    ({ host }) => `  - { registry: '${host}', tls: disabled, reqPerSec: 100000 }`,
  )
  const steps = images.map(({ repository, tag }) => {
    const [source, target] = [upstream, local].map(({ host }) => `${host}/${repository}:${tag}`)
    return `  - { source: '${source ?? ''}', target: '${target ?? ''}', type: image }`
  })
  const all = ['skipDockerConfig: true', ...defaults].map((line) => `  ${line}`)
  return ['version: 1', 'creds:', ...hosts, 'defaults:', ...all, 'sync:', ...steps, ''].join('\n')
}
