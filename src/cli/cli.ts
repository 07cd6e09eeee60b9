import type { Command } from 'commander'
import { loadConfig } from '../config/load-config.ts'
import type { Config } from '../config/config.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { globalOptions, type GlobalOptions } from './global-options.ts'
import type { Streams } from './screen/io.ts'
import { openQueues } from './redis/open-queues.ts'

/** What a command has around it. */
export interface Cli {
  readonly streams: Streams
  readonly env: NodeJS.ProcessEnv
}

/** What a command that asks the queues gets. */
export interface WithQueues {
  readonly queues: ReplicationQueues
  readonly config: Config
  readonly options: GlobalOptions
}

/** Opens the configuration's queues for as long as the command runs. */
export async function withQueues(
  { env }: Cli,
  command: Command,
  run: (surroundings: WithQueues) => Promise<void>,
): Promise<void> {
  const options = globalOptions(command)
  const config = await loadConfig(options.config, env)
  await using queues = await openQueues(config, options.dataDir)
  await run({ queues, config, options })
}
