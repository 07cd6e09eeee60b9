import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load-config.ts'
import type { Cli } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { type GlobalOptions, globalOptions } from '../global-options.ts'
import { columnsOf, tableWidth, type Streams, writeJson, writeLine } from '../screen/io.ts'
import type { CheckResult } from '../online/check-result.ts'
import { checkOnline } from '../online/online-checks.ts'
import { indented } from '../../text/plain-text.ts'
import { fittedLines } from '../screen/fitted-table.ts'

export function checkCommand(cli: Cli): Command {
  return new Command('check')
    .option(
      '--online',
      'reach Redis and every registry, and prove the credentials and the rights that each project needs',
    )
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
  const { config: file, dataDir, json, wide } = globalOptions(command)
  const { online } = command.opts<{ readonly online?: true }>()
  const config = await loadConfig(file, env)
  if (!json) writeSummary(streams, config)
  const checks = online === true ? await checkOnline(config, dataDir) : []
  if (json) writeJson(streams.stdout, { ...summaryOf(config), ...(online && { online: checks }) })
  else if (checks.length > 0) writeChecks(streams, checks, { wide })
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

/** A project has a line for each of its registries, which only their places tell apart. */
function isClearWithoutPlaces(checks: readonly CheckResult[]): boolean {
  return new Set(checks.map(({ name }) => name)).size === checks.length
}

export function writeChecks(
  { stdout }: Streams,
  checks: readonly CheckResult[],
  options: Pick<GlobalOptions, 'wide'>,
): void {
  const head = ['CHECKED', 'AT', 'RESULT']
  const rows = checks.map(({ name, at, ok, message }) => [name, at, ok ? message : 'FAILED'])
  const table = { head, rows, spare: isClearWithoutPlaces(checks) ? ['AT'] : [] }
  const [first = '', ...lines] = fittedLines(table, tableWidth(stdout, options))
  writeLine(stdout, first)
  checks.forEach(({ ok, message, notes = [] }, i) => {
    writeLine(stdout, lines[i])
    for (const said of [...(ok ? [] : [message]), ...notes]) {
      writeLine(stdout, indented(said, '    ', columnsOf(stdout)))
    }
  })
}
