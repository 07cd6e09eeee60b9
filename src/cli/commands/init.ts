import { randomBytes } from 'node:crypto'
import { access, constants } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Command } from 'commander'
import { ConfigError } from '../../config/config-error.ts'
import { loadConfig, loadConfigText } from '../../config/load-config.ts'
import { parseProjectName } from '../../config/schema/schema.ts'
import { parseRegistryUrl } from '../../config/schema/urls.ts'
import type { Parsed } from '../../oci/parsed.ts'
import { urlArgument } from '../arguments.ts'
import type { Cli } from '../cli.ts'
import { CommandError, usageError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import type { Account, Answers } from '../init/answers.ts'
import { firstConfiguration, type NewFile, SOURCE, UPSTREAM } from '../init/configuration.ts'
import { Questions } from '../init/questions.ts'
import { writeNew } from '../init/write-new.ts'
import { checkOnline } from '../online/online-checks.ts'
import { type Streams, writeJson, writeLine } from '../screen/io.ts'
import { writeChecks } from './check.ts'

interface InitOptions {
  readonly local?: string
  readonly localUsername?: string
  readonly localPasswordFile?: string
  readonly upstream?: string
  readonly upstreamUsername?: string
  readonly upstreamPasswordFile?: string
  readonly project?: string
  readonly redis?: string
  readonly online: boolean
}

export function initCommand(cli: Cli): Command {
  return new Command('init')
    .option('--local <url>', 'the registry that images are pushed to', urlArgument)
    .option('--local-username <name>', 'pullsync logs in there')
    .option('--local-password-file <file>', 'with this password')
    .option('--upstream <url>', 'the registry that images come from', urlArgument)
    .option('--upstream-username <name>', 'pullsync logs in there')
    .option('--upstream-password-file <file>', 'with this password')
    .option('--project <name>', 'the first path component of the images to mirror; * for all')
    .option('--redis <url>', 'where jobs are kept (default: "pullsync up" starts a Redis)')
    .option('--no-online', 'do not try what was written')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await init(cli, command)
    })
}

const EXAMPLES = `
Without --local, --upstream and --project it asks, on a terminal. It overwrites nothing.

Examples:
  $ pullsync init
  $ pullsync init --local http://127.0.0.1:5000 --upstream https://harbor.hq.example --project team`

async function init({ streams, env }: Cli, command: Command): Promise<void> {
  const { json, dataDir, config: named, wide } = globalOptions(command)
  const options = command.opts<InitOptions>()
  const file = resolve(named)
  const answers = answersOf(options) ?? (await asked(options, streams))
  const { yaml, secrets } = firstConfiguration(answers, randomBytes(24).toString('hex'))
  await requirePasswordFiles(answers)
  await requireValid(file, yaml, secrets)
  await writeNew({ file, text: yaml }, secrets)
  const config = await loadConfig(file, env)
  const checks = options.online ? await checkOnline(config, dataDir) : []
  if (json) {
    writeJson(streams.stdout, { file, secrets: secrets.map(({ name }) => name), online: checks })
    return
  }
  writeLine(streams.stdout, `${file} is written; secrets are in files of their own beside it.`)
  if (checks.length > 0) writeChecks(streams, checks, { wide })
  writeLine(streams.stdout, nextSteps(named, { isSound: checks.every(({ ok }) => ok) }))
}

/** Before anything is written, since what is there already stands in the way of the next try. */
async function requirePasswordFiles({ local, upstream }: Answers): Promise<void> {
  for (const { account } of [local, upstream]) {
    if (account === undefined || !('file' in account.password)) continue
    const { file } = account.password
    await access(file, constants.R_OK).catch(() => {
      throw new CommandError(`cannot read the password file ${file}; nothing was written`)
    })
  }
}

/** What is written is in the way of the next try, so it has to be right. */
async function requireValid(
  file: string,
  yaml: string,
  secrets: readonly NewFile[],
): Promise<void> {
  const folder = dirname(file)
  const written = new Map(secrets.map(({ name, text }) => [resolve(folder, name), text]))
  await loadConfigText(file, yaml, written).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error
    const reasons = error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw new CommandError(`nothing was written: ${reasons.join('\n')}`)
  })
}

function nextSteps(file: string, { isSound }: { readonly isSound: boolean }): string {
  const config = file === './pullsync.yaml' ? '' : ` --config ${file}`
  const repair = `
  $ pullsync check --online${config}
        once what FAILED is put right, in ${file}`
  return `
Next:${isSound ? '' : repair}
  $ pullsync up${config}
        clients pull from port 8080 from then on; an overview is at http://127.0.0.1:9090/
  $ pullsync print notifications ${SOURCE} --with-secrets${config}
        what the local registry needs to tell of pulls and pushes
  $ pullsync print hosts.toml ${UPSTREAM}${config}
        what containerd needs to pull images of the upstream's name through here; also docker, podman, crio, k3s`
}

/** Undefined where something has to be asked for. */
function answersOf(options: InitOptions): Answers | undefined {
  const { local, upstream, project, redis } = options
  const isThere = project !== undefined && local !== undefined && upstream !== undefined
  if (!isThere) return undefined
  const wrong = reasonAgainst(parseProjectName)(project)
  if (wrong !== undefined) throw usageError(`--project ${project}: ${wrong}`)
  const ofLocal = accountOf('local', options.localUsername, options.localPasswordFile)
  const ofUpstream = accountOf('upstream', options.upstreamUsername, options.upstreamPasswordFile)
  return {
    local: { url: local, ...(ofLocal && { account: ofLocal }) },
    upstream: { url: upstream, ...(ofUpstream && { account: ofUpstream }) },
    project,
    ...(redis !== undefined && { redis }),
  }
}

function accountOf(side: string, username?: string, file?: string): Account | undefined {
  if (username === undefined && file === undefined) return undefined
  if (username !== undefined && file !== undefined)
    return { username, password: { file: resolve(file) } }
  throw usageError(`--${side}-username and --${side}-password-file go together`)
}

async function asked({ redis, ...options }: InitOptions, { stdout }: Streams): Promise<Answers> {
  if (!process.stdin.isTTY) {
    throw usageError(
      'name --local, --upstream and --project, or run it on a terminal, where it asks',
    )
  }
  using questions = new Questions(process.stdin, stdout)
  const url = reasonAgainst(parseRegistryUrl)
  const local = await questions.ask('Registry that images are pushed to', {
    proposal: options.local ?? 'http://127.0.0.1:5000',
    wrong: url,
  })
  const ofLocal = await askedAccount(questions, options.localUsername)
  const upstream = await questions.ask('Registry that images come from', {
    proposal: options.upstream ?? 'https://registry-1.docker.io',
    wrong: url,
  })
  const ofUpstream = await askedAccount(questions, options.upstreamUsername)
  const project = await questions.ask(
    'Project to mirror, the first part of image names; * for all',
    {
      proposal: options.project ?? '*',
      wrong: reasonAgainst(parseProjectName),
    },
  )
  return {
    local: { url: local, ...(ofLocal && { account: ofLocal }) },
    upstream: { url: upstream, ...(ofUpstream && { account: ofUpstream }) },
    project,
    ...(redis !== undefined && { redis }),
  }
}

async function askedAccount(questions: Questions, proposal = ''): Promise<Account | undefined> {
  const username = await questions.ask('  User name there; empty for nobody', { proposal })
  if (username === '') return undefined
  return { username, password: { text: await questions.askSecret('  Password') } }
}

function reasonAgainst(parse: (text: string) => Parsed<unknown>) {
  return (text: string): string | undefined => {
    const parsed = parse(text)
    return parsed.ok ? undefined : parsed.reason
  }
}
