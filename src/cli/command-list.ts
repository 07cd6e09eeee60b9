import { Command } from 'commander'
import type { Cli } from './cli.ts'
import { COMPLETE } from './completion/scripts.ts'
import { requireOpenFiles } from './require-open-files.ts'
import type { Roots } from './root-options.ts'

/** A command as the list of all has it. */
export interface ListedCommand {
  readonly name: string
  /** In one line. */
  readonly summary: string
  /** Loading what a command needs takes longer than everything before: only what is named is loaded. */
  readonly load: (cli: Cli, roots: Roots) => Promise<Command>
}

/** In the order in which the help shows them. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: 'up',
    summary: 'serve and worker in one process; with its own Redis when none is configured',
    load: async (cli, roots) => {
      requireOpenFiles()
      return (await import('./commands/up.ts')).upCommand(cli, roots)
    },
  },
  {
    name: 'serve',
    summary: 'take events and pull misses over HTTP and queue the work; any number of these',
    load: async (_cli, roots) => {
      requireOpenFiles()
      return (await import('./commands/serve.ts')).serveCommand(roots)
    },
  },
  {
    name: 'worker',
    summary: 'do the queued work; any number of these',
    load: async (_cli, roots) => {
      requireOpenFiles()
      return (await import('./commands/serve.ts')).workerCommand(roots)
    },
  },
  {
    name: 'sync',
    summary: 'ask for one image by hand',
    load: async (cli) => (await import('./commands/sync.ts')).syncCommand(cli),
  },
  {
    name: 'why',
    summary: 'what a pull of one image gets now, and why; what happened to it lately',
    load: async (cli) => (await import('./commands/why.ts')).whyCommand(cli),
  },
  {
    name: 'jobs',
    summary: 'what is queued, running and done; run failed jobs again',
    load: async (cli) => (await import('./commands/jobs/jobs.ts')).jobsCommand(cli),
  },
  {
    name: 'status',
    summary: 'counts, rates and health per upstream',
    load: async (cli) => (await import('./commands/status.ts')).statusCommand(cli),
  },
  {
    name: 'pause',
    summary: 'start no more jobs of one upstream; running ones end, new ones wait',
    load: async (cli) => (await import('./commands/pause.ts')).pauseCommand(cli),
  },
  {
    name: 'resume',
    summary: 'start jobs of a paused upstream again; also ends a wait that it asked for',
    load: async (cli) => (await import('./commands/pause.ts')).resumeCommand(cli),
  },
  {
    name: 'check',
    summary: 'validate the configuration; with --online also reach what it names',
    load: async (cli) => (await import('./commands/check.ts')).checkCommand(cli),
  },
  {
    name: 'print',
    summary: 'configuration for registries, proxies and nodes, ready to paste',
    load: async (cli, roots) => (await import('./commands/print.ts')).printCommand(cli, roots),
  },
  {
    name: 'setup',
    summary: "a registry's own set-up, by its API",
    load: async (cli) => (await import('./commands/setup.ts')).setupCommand(cli),
  },
  {
    name: 'init',
    summary: 'write a first configuration, by questions or options',
    load: async (cli) => (await import('./commands/init.ts')).initCommand(cli),
  },
  {
    name: 'completion',
    summary: 'what a shell needs to complete command lines',
    load: async (cli) => (await import('./commands/completion.ts')).completionCommand(cli),
  },
  {
    name: 'tail-log',
    summary: "queue the misses that the local registry's log, or its proxy's, tells of",
    load: async (cli) => (await import('./commands/tail-log.ts')).tailLogCommand(cli),
  },
]

/** Those that the command line names whole, the others by name and summary. */
export async function commandsFor(
  argv: readonly string[],
  cli: Cli,
  roots: Roots,
): Promise<readonly Command[]> {
  const completes = argv[0] === COMPLETE
  return await Promise.all(
    COMMANDS.map(async ({ name, summary, load }) => {
      const isNamed = completes || argv.includes(name)
      const command = isNamed ? await load(cli, roots) : new Command(name)
      return command.description(summary)
    }),
  )
}

/** The one that completes all others, where it is asked. */
export async function completingCommand(
  argv: readonly string[],
  cli: Cli,
): Promise<Command | undefined> {
  if (argv[0] !== COMPLETE) return undefined
  const { completeCommand } = await import('./commands/completion.ts')
  return completeCommand(cli)
}
