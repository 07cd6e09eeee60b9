import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { childEnvironment } from '../process/child.ts'

/** Debian calls the CNCF distribution registry's program `docker-registry`, everybody else `registry`. */
export function registryCommand(): string {
  const folders = (childEnvironment()['PATH'] ?? '').split(delimiter)
  const found = ['docker-registry', 'registry'].find((name) =>
    folders.some((folder) => existsSync(join(folder, name))),
  )
  return found ?? 'docker-registry'
}
