import type { Command } from 'commander'

/** What every command takes, before or after its name. */
export interface GlobalOptions {
  readonly config: string
  readonly dataDir: string
  readonly json: boolean
  readonly wide: boolean
}

export function addGlobalOptions(program: Command, env: NodeJS.ProcessEnv): Command {
  const config = env['PULLSYNC_CONFIG']
  return program
    .option(
      '--config <file>',
      'configuration file (environment: PULLSYNC_CONFIG)',
      config === undefined || config === '' ? './pullsync.yaml' : config,
    )
    .option(
      '--data-dir <folder>',
      'where the Redis of "pullsync up" lives, when the configuration names none',
      './data',
    )
    .option('--json', 'print JSON instead of text, on commands that print data', false)
    .option('--wide', 'print tables whole on a terminal, also where they do not fit', false)
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>()
}
