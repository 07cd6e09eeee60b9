import { Command } from 'commander'
import type { Cli } from './cli.ts'
import { commandsFor, completingCommand } from './command-list.ts'
import { EXIT } from '../lifecycle/exit-codes.ts'
import { addGlobalOptions } from './global-options.ts'
import { type Streams, tolerateClosedPipes } from './screen/io.ts'
import { reportError } from './report-error.ts'
import type { Roots } from './root-options.ts'
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
  try {
    const program = await buildProgram(argv, { env, streams }, roots)
    await program.parseAsync([...argv], { from: 'user' })
    return EXIT.done
  } catch (error) {
    return reportError(error, streams, env)
  }
}

async function buildProgram(argv: readonly string[], cli: Cli, roots: Roots): Promise<Command> {
  const program = addGlobalOptions(new Command('pullsync'), cli.env)
    .description(
      'Fills a local container registry from its upstreams on demand, under the same image names.',
    )
    .version(VERSION)
    .addHelpText('after', EXAMPLES)
  for (const command of await commandsFor(argv, cli, roots)) program.addCommand(command)
  const completing = await completingCommand(argv, cli)
  if (completing !== undefined) program.addCommand(completing, { hidden: true })
  settle(program, cli.streams)
  return program
}

const EXAMPLES = `
Examples:
  $ pullsync up                                webhook and workers together, with their own Redis
  $ pullsync check --online                    is the configuration right, is everything reachable
  $ pullsync sync team/app:1.0 --wait          bring one image here now
  $ pullsync why team/app:1.0                  would a pull bring it, and why not
  $ pullsync jobs list --state failed          what failed, and why
  $ pullsync jobs retry --all                  run it again

Environment:
  PULLSYNC_CONFIG   the configuration, where --config names none
  LOG_LEVEL         of up, serve, worker and tail-log: error, warn, info (default) or debug
  PULLSYNC_DEBUG=1  adds the stack to an error

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
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf })
    .showHelpAfterError(`("${nameOf(command)} --help" tells how)`)
  for (const each of command.commands) settle(each, { stdout, stderr })
}

/** Without what it takes: not every command is loaded to tell. */
function termOf(command: Command): string {
  return command.name()
}

/** As it is typed: `pullsync jobs list`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}
