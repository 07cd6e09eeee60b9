import type { Account, Answers, RegistryAnswers } from './answers.ts'

/** A file to be written that is not there yet. */
export interface NewFile {
  /** Relative to the configuration's folder. */
  readonly name: string
  readonly text: string
}

export interface FirstConfiguration {
  readonly yaml: string
  /** Each with one secret, for nobody else to read. */
  readonly secrets: readonly NewFile[]
}

/** The id of the source of events that the local registry is. */
export const SOURCE = 'edge'
/** The id of the upstream. */
export const UPSTREAM = 'hq'

const FOLDER = 'secrets'

/** @param secret of the source of events, made for it */
export function firstConfiguration(answers: Answers, secret: string): FirstConfiguration {
  const { local, upstream, project, redis } = answers
  const yaml = `# Made by "pullsync init". docs/configuration.md explains every key; "pullsync check --online" tries this file.

# Where jobs are kept.
${redis === undefined ? '# Without this section, "pullsync up" starts a Redis of its own.\n# redis: { url: redis://127.0.0.1:6379 }' : `redis: { url: ${quoted(redis)} }`}

# Clients pull here, and registries post their events here.
listen: 0.0.0.0:8080

# Overview, dashboard, metrics and health. On other than loopback it needs a password.
admin:
  listen: 127.0.0.1:9090

# The registry that images are pushed to.
local:
${registryLines('local', local)}
# The registries that images come from, each under an id of your own.
upstreams:
  ${UPSTREAM}:
${registryLines(UPSTREAM, upstream, '  ')}
# What to mirror: the first path component of image names, and where it comes from.
projects:
  - name: ${quoted(project)}
    upstream: ${UPSTREAM}
    # What a client gets that pulls what is not here yet: stream | hold | async
    onMiss: stream
    # tags: { exclude: ['*-rc*'] }

# Who may post events, to /v1/events/<id>.
sources:
  ${SOURCE}: { format: distribution, registry: local, secretFile: ./${FOLDER}/${SOURCE} }
`
  return {
    yaml,
    secrets: [
      { name: `${FOLDER}/${SOURCE}`, text: secret },
      ...passwordFile('local', local.account),
      ...passwordFile(UPSTREAM, upstream.account),
    ],
  }
}

function registryLines(id: string, { url, account }: RegistryAnswers, more = ''): string {
  const lines = [
    `url: ${quoted(url)}`,
    ...(account === undefined
      ? ['# username: pullsync', `# passwordFile: ./${FOLDER}/${id}`]
      : [`username: ${quoted(account.username)}`, `passwordFile: ${fileOf(id, account)}`]),
    ...(isPlainElsewhere(url)
      ? ['# Plain http to another machine: anybody between can read it.', 'insecure: true']
      : []),
  ]
  return lines.map((line) => `  ${more}${line}\n`).join('')
}

function fileOf(id: string, { password }: Account): string {
  return 'file' in password ? quoted(password.file) : `./${FOLDER}/${id}`
}

function passwordFile(id: string, account: Account | undefined): readonly NewFile[] {
  if (account === undefined || 'file' in account.password) return []
  return [{ name: `${FOLDER}/${id}`, text: account.password.text }]
}

function isPlainElsewhere(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !/^(?:localhost|127\.|\[::1\])/.test(hostname)
}

/** As YAML takes any text. $ would be a variable. */
function quoted(text: string): string {
  return JSON.stringify(text.replaceAll('$', '$$$$'))
}
