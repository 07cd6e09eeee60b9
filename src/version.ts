import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version in package.json. */
export const VERSION = readVersion(import.meta.dirname)

/** How pullsync names itself to registries; also how it knows its own requests in their events. */
export const USER_AGENT = `pullsync/${VERSION}`

// The compiled files lie one folder deeper than the sources.
function readVersion(folder: string): string {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return readVersion(dirname(folder))
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}
