import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import type { Cli } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { globalOptions } from '../global-options.ts'
import { columnsOf, type Streams, writeJson, writeLine } from '../io.ts'
import { type CheckResult, checkOnline } from '../online-checks.ts'
import { indented } from '../plain-text.ts'
import { tableLines } from '../table.ts'

export function checkCommand(cli: Cli): Command {
  return new Command('check')
    .description('validate the configuration; with --online also reach what it names')
    .option('--online', 'reach Redis and every registry, and prove the credentials')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await check(cli, command)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync check --online
  $ pullsync check --config /etc/pullsync/pullsync.yaml && systemctl reload pullsync`

async function check({ streams, env }: Cli, command: Command): Promise<void> {
  const { config: file, dataDir, json } = globalOptions(command)
  const { online } = command.opts<{ readonly online?: true }>()
  const config = await loadConfig(file, env)
  if (!json) writeSummary(streams, config)
  const checks = online === true ? await checkOnline(config, dataDir) : []
  if (json) writeJson(streams.stdout, { ...summaryOf(config), ...(online && { online: checks }) })
  else if (checks.length > 0) writeChecks(streams, checks)
  const failed = checks.filter(({ ok }) => !ok).length
  if (failed > 0) throw new CommandError(`${failed} of ${checks.length} online checks failed`)
}

function summaryOf(config: Config) {
  return {
    file: config.file,
    upstreams: config.upstreams.size,
    projects: config.projects.length,
    sources: config.sources.size,
  }
}

function writeSummary({ stdout }: Streams, config: Config): void {
  const { file, upstreams, projects, sources } = summaryOf(config)
  const counts = [
    counted(upstreams, 'upstream'),
    counted(projects, 'project'),
    counted(sources, 'source'),
  ]
  writeLine(stdout, `${file} is valid: ${counts.join(', ')}`)
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function writeChecks({ stdout }: Streams, checks: readonly CheckResult[]): void {
  const [head = '', ...lines] = tableLines(
    ['CHECKED', 'AT', 'RESULT'],
    checks.map(({ name, at, ok, message }) => [name, at, ok ? message : 'FAILED']),
  )
  writeLine(stdout, head)
  checks.forEach(({ ok, message }, i) => {
    writeLine(stdout, lines[i])
    if (!ok) writeLine(stdout, indented(message, '    ', columnsOf(stdout)))
  })
}
