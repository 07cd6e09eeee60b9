import { Command } from 'commander'
import type { Address } from '../../config/config.ts'
import { addressArgument } from '../arguments.ts'
import { globalOptions } from '../global-options.ts'
import type { Root, Roots } from '../root-options.ts'
import { runUntilStopped } from '../run-until-stopped.ts'

export function serveCommand(roots: Roots): Command {
  return longRunning('serve').action(async (_options: unknown, command: Command) => {
    await run(command, () => roots.serve())
  })
}

export function workerCommand(roots: Roots): Command {
  return longRunning('worker').action(async (_options: unknown, command: Command) => {
    await run(command, () => roots.worker())
  })
}

/** A command with the options that `up`, `serve` and `worker` share. */
export function longRunning(name: string): Command {
  return new Command(name).option(
    '--admin-listen <host:port>',
    'where /dashboard, /metrics, /livez and /readyz are; goes before admin.listen',
    addressArgument,
  )
}

export interface LongRunningOptions {
  readonly adminListen?: Address
}

async function run(command: Command, load: () => Promise<Root>): Promise<void> {
  const { config: configFile } = globalOptions(command)
  const { adminListen } = command.opts<LongRunningOptions>()
  await runUntilStopped(async ({ signal }) => {
    const root = await load()
    await root({ configFile, signal, ...(adminListen !== undefined && { adminListen }) })
  })
}
