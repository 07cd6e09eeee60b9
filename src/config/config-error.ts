/** One thing that is wrong with the configuration. Never holds a secret or an interpolated value. */
export interface ConfigProblem {
  /** Where in the configuration, as `upstreams.hq.url` or `projects[0].name`; empty for the file as a whole. */
  readonly path: string
  /** In the file, counted from 1; absent when the problem has no place there. */
  readonly line?: number
  readonly column?: number
  readonly message: string
}

/** Every problem of a configuration file at once; the message has one line for each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** As the user named it. */
  readonly file: string
  readonly problems: readonly ConfigProblem[]

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => formatProblem(file, problem)).join('\n'))
    this.file = file
    this.problems = problems
  }
}

/** `pullsync.yaml:12:5  upstreams.hq.url: expected …` */
function formatProblem(file: string, { path, line, column, message }: ConfigProblem): string {
  const named = path === '' ? message : `${path}: ${message}`
  return line === undefined ? `${file}: ${named}` : `${file}:${line}:${column ?? 1}  ${named}`
}
