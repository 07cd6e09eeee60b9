import { access, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandError } from '../command-error.ts'
import type { NewFile } from './configuration.ts'

/** For its owner alone. */
const SECRET = 0o600
const SECRET_FOLDER = 0o700

/**
 * Writes all of them, or none where one is there already.
 * @throws CommandError that names it
 */
export async function writeNew(
  config: { readonly file: string; readonly text: string },
  secrets: readonly NewFile[],
): Promise<void> {
  const folder = dirname(config.file)
  const files = secrets.map(({ name, text }) => ({ file: join(folder, name), text: `${text}\n` }))
  for (const { file } of [config, ...files]) await requireNew(file)
  for (const { file, text } of files) {
    await mkdir(dirname(file), { recursive: true, mode: SECRET_FOLDER })
    await writeFile(file, text, { mode: SECRET, flag: 'wx' })
  }
  await mkdir(folder, { recursive: true })
  await writeFile(config.file, config.text, { flag: 'wx' })
}

async function requireNew(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (!isThere) return
  throw new CommandError(
    `${file} is there already, and init overwrites nothing. Move it away, or name another file with --config.`,
  )
}
