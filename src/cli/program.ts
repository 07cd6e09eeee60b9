import { Command } from 'commander'
import type { Cli } from './cli.ts'
import { checkCommand } from './commands/check.ts'
import { jobsCommand } from './commands/jobs.ts'
import { pauseCommand, resumeCommand } from './commands/pause.ts'
import { printCommand } from './commands/print.ts'
import { serveCommand, workerCommand } from './commands/serve.ts'
import { statusCommand } from './commands/status.ts'
import { syncCommand } from './commands/sync.ts'
import { tailLogCommand } from './commands/tail-log.ts'
import { upCommand } from './commands/up.ts'
import { EXIT } from '../lifecycle/exit-codes.ts'
import { addGlobalOptions } from './global-options.ts'
import { type Streams, tolerateClosedPipes } from './io.ts'
import { reportError } from './report-error.ts'
import type { Roots } from './roots.ts'
import { VERSION } from '../version.ts'

/**
 * Runs one command line to its end and gives the exit code.
 *
 * @param argv without the interpreter and the script
 */
export async function runProgram(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  streams: Streams,
  roots: Roots,
): Promise<number> {
  tolerateClosedPipes(streams)
  const program = buildProgram({ env, streams }, roots)
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return EXIT.done
  } catch (error) {
    return reportError(error, streams, env)
  }
}

function buildProgram(cli: Cli, roots: Roots): Command {
  const program = addGlobalOptions(new Command('pullsync'), cli.env)
    .description(
      'Fills a local container registry from its upstreams on demand, under the same image names.',
    )
    .version(VERSION)
    .addCommand(upCommand(cli, roots))
    .addCommand(serveCommand(roots))
    .addCommand(workerCommand(roots))
    .addCommand(syncCommand(cli))
    .addCommand(jobsCommand(cli))
    .addCommand(statusCommand(cli))
    .addCommand(pauseCommand(cli))
    .addCommand(resumeCommand(cli))
    .addCommand(checkCommand(cli))
    .addCommand(printCommand(cli, roots))
    .addCommand(tailLogCommand(cli))
    .addHelpText('after', EXAMPLES)
  settle(program, cli.streams)
  return program
}

const EXAMPLES = `
Examples:
  $ pullsync up                                webhook and workers together, with their own Redis
  $ pullsync check --online                    is the configuration right, is everything reachable
  $ pullsync sync team/app:1.0 --wait          bring one image here now
  $ pullsync jobs list --state failed          what failed, and why
  $ pullsync jobs retry --all                  run it again

Exit codes: 0 done; 1 what was asked for failed; 2 wrong usage; 78 configuration error.`

/** Commands that were made on their own do not inherit these. */
function settle(command: Command, { stdout, stderr }: Streams): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError(`("${nameOf(command)} --help" tells how)`)
  for (const each of command.commands) settle(each, { stdout, stderr })
}

/** As it is typed: `pullsync jobs list`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}
