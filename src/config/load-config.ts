import { resolve } from 'node:path'
import type { Config } from './config.ts'
import { ConfigError } from './config-error.ts'
import type { FileReference, ReadFiles } from './file-references.ts'
import { parseConfig } from './parse-config.ts'
import { readBounded } from './read-bounded.ts'

/**
 * Reads and checks the configuration, with its secrets and certificates.
 *
 * @param env fills in `${NAME}`
 * @throws ConfigError with every problem at once
 */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv): Promise<Config> {
  const absolute = resolve(file)
  const read = await readBounded(absolute)
  if (!read.ok) throw new ConfigError(file, [{ path: '', message: unreadable(read.reason) }])
  const unfinished = parseConfig(absolute, read.text, env)
  const result = unfinished.finish(await readAll(unfinished.references))
  if (!result.ok) throw new ConfigError(file, result.problems)
  return result.config
}

function unreadable(reason: string): string {
  return `cannot read the configuration: ${reason}. Name another file with --config or PULLSYNC_CONFIG, or begin with a copy of deploy/pullsync.example.yaml`
}

async function readAll(references: readonly FileReference[]): Promise<ReadFiles> {
  const files = [...new Set(references.map(({ file }) => file))]
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readBounded(file)] as const)),
  )
}
