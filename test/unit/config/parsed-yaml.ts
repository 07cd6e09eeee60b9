import type { Config } from '../../../src/config/config.ts'
import type { ConfigProblem } from '../../../src/config/config-error.ts'
import type { ReadFiles } from '../../../src/config/reading/file-references.ts'
import { type ConfigResult, parseConfig } from '../../../src/config/parse-config.ts'

interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  /** Text of the files, by absolute name; others do not exist. */
  readonly files?: Readonly<Record<string, string>>
  /** Text of every other file, which then does exist. */
  readonly readAnyFile?: string | ((file: string) => string)
}

/** Parses `text` as `/etc/pullsync/pullsync.yaml`, without touching any file. */
export function parseYaml(text: string, surroundings: Surroundings = {}): ConfigResult {
  const { env = {}, files = {}, readAnyFile } = surroundings
  const unfinished = parseConfig('/etc/pullsync/pullsync.yaml', text, env)
  const read: ReadFiles = new Map(
    unfinished.references.map(({ file }) => {
      const any = typeof readAnyFile === 'function' ? readAnyFile(file) : readAnyFile
      const found = files[file] ?? any
      return [
        file,
        found === undefined
          ? { ok: false, reason: 'there is no such file' }
          : { ok: true, text: found },
      ]
    }),
  )
  return unfinished.finish(read)
}

export function configOf(text: string, surroundings?: Surroundings): Config {
  const result = parseYaml(text, surroundings)
  if (!result.ok) throw new Error(`unexpected: ${JSON.stringify(result.problems)}`)
  return result.config
}

export function problemsOf(text: string, surroundings?: Surroundings): readonly ConfigProblem[] {
  const result = parseYaml(text, surroundings)
  return result.ok ? [] : result.problems
}

/** The parts of a correct configuration, each of which a test can replace, or leave out with ''. */
export const PARTS = {
  listen: 'listen: 127.0.0.1:0',
  local: 'local:\n  url: http://127.0.0.1:5000',
  upstreams: 'upstreams:\n  hq:\n    url: https://harbor.hq.example',
  projects: 'projects:\n  - name: team\n    upstream: hq',
  sources:
    'sources:\n  edge:\n    format: distribution\n    registry: local\n    secret: s3cr3t-of-edge',
}

export function yamlWith(parts: Partial<typeof PARTS & { readonly more: string }>): string {
  return Object.values({ ...PARTS, ...parts })
    .filter((part) => part !== '')
    .join('\n')
}
