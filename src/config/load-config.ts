import { resolve } from 'node:path'
import type { Config } from './config.ts'
import { ConfigError } from './config-error.ts'
import { formatPath } from './reading/config-path.ts'
import { type FileReference, type ReadFiles, secretIn } from './reading/file-references.ts'
import { parseConfig, type UnfinishedConfig } from './parse-config.ts'
import { readBounded } from './reading/read-bounded.ts'

/**
 * Reads and checks the configuration, with its secrets and certificates.
 *
 * @param env fills in `${NAME}`
 * @throws ConfigError with every problem at once
 */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv): Promise<Config> {
  const unfinished = await begun(file, env)
  return finished(file, unfinished, await readAll(unfinished.references))
}

/**
 * The same of a text that is yet to be written there, and with it `files`, by their absolute names.
 *
 * @throws ConfigError
 */
export async function loadConfigText(
  file: string,
  text: string,
  files: ReadonlyMap<string, string>,
): Promise<Config> {
  const unfinished = parseConfig(resolve(file), text, {})
  const read = new Map(await readAll(unfinished.references))
  for (const [name, content] of files) read.set(name, { ok: true, text: content })
  return finished(file, unfinished, read)
}

/** A file with a secret that the configuration names. */
export interface SecretFile {
  /** Absolute. */
  readonly file: string
  /** Undefined where there is no such file yet. */
  readonly secret: string | undefined
}

export interface ConfigBeforeSecrets {
  /** With made-up secrets where there are none yet. */
  readonly config: Config
  /** By the key that names it: `local.passwordFile`, `sources.edge.secretFile`. */
  readonly secretFiles: ReadonlyMap<string, SecretFile>
}

/**
 * The same for whoever is about to write the secrets: their files may be missing or empty.
 *
 * @throws ConfigError with every other problem
 */
export async function loadConfigBeforeSecrets(
  file: string,
  env: NodeJS.ProcessEnv,
): Promise<ConfigBeforeSecrets> {
  const unfinished = await begun(file, env)
  const files = new Map(await readAll(unfinished.references))
  const secretFiles = new Map<string, SecretFile>()
  for (const { path, file: named, kind } of unfinished.references) {
    if (kind !== 'secret') continue
    const read = files.get(named)
    const secret = read?.ok === true && secretIn(read.text) !== '' ? secretIn(read.text) : undefined
    secretFiles.set(formatPath(path), { file: named, secret })
    if (secret === undefined) files.set(named, { ok: true, text: NOT_YET })
  }
  return { config: finished(file, unfinished, files), secretFiles }
}

const NOT_YET = 'not written yet'

async function begun(file: string, env: NodeJS.ProcessEnv): Promise<UnfinishedConfig> {
  const absolute = resolve(file)
  const read = await readBounded(absolute)
  if (!read.ok) throw new ConfigError(file, [{ path: '', message: unreadable(read.reason) }])
  return parseConfig(absolute, read.text, env)
}

function finished(file: string, unfinished: UnfinishedConfig, files: ReadFiles): Config {
  const result = unfinished.finish(files)
  if (!result.ok) throw new ConfigError(file, result.problems)
  return result.config
}

function unreadable(reason: string): string {
  return `cannot read the configuration: ${reason}. Name another file with --config or PULLSYNC_CONFIG, or make one with "pullsync init"`
}

async function readAll(references: readonly FileReference[]): Promise<ReadFiles> {
  const files = [...new Set(references.map(({ file }) => file))]
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readBounded(file)] as const)),
  )
}
