import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Programs that `scripts/go-programs.sh` builds where there is a Go. */
export type GoProgram =
  | 'crane'
  | 'regctl'
  | 'oras'
  | 'distribution3'
  | 'cosign'
  | 'helm'
  | 'kubectl-validate'
  | 'conformance'
  | 'buildkitd'
  | 'buildctl'
  | 'regsync'
  | 'ko'

/** Where the program is; undefined where it was not built: its tests are skipped, and say why. */
export function goProgram(name: GoProgram): string | undefined {
  return folders()
    .map((folder) => join(folder, name))
    .find((path) => isExecutable(path))
}

/** For the title of tests that are skipped. */
export function missingProgram(name: GoProgram): string {
  return goProgram(name) === undefined
    ? ` (skipped: no ${name} here; scripts/go-programs.sh builds it)`
    : ''
}

function folders(): readonly string[] {
  const { PATH = '', PULLSYNC_PROGRAMS, XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return [
    PULLSYNC_PROGRAMS ?? join(XDG_CACHE_HOME, 'pullsync', 'programs'),
    ...PATH.split(delimiter),
  ]
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
