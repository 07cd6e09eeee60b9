import { Command } from 'commander'
import { pauseUpstream, resumeUpstream } from '../../queue/records/upstream-status.ts'
import { type Cli, withQueues } from '../cli.ts'
import { writeJson, writeLine } from '../screen/io.ts'
import { requireUpstream } from '../redis/known-upstream.ts'

const UPSTREAM = 'the id of an upstream in the configuration'

export function pauseCommand(cli: Cli): Command {
  return new Command('pause')
    .argument('<upstream>', UPSTREAM)
    .action(async (upstream: string, _options: unknown, command: Command) => {
      await set(cli, command, upstream, true)
    })
}

export function resumeCommand(cli: Cli): Command {
  return new Command('resume')
    .argument('<upstream>', UPSTREAM)
    .action(async (upstream: string, _options: unknown, command: Command) => {
      await set(cli, command, upstream, false)
    })
}

async function set(cli: Cli, command: Command, upstream: string, paused: boolean): Promise<void> {
  const { stdout } = cli.streams
  await withQueues(cli, command, async ({ queues, options }) => {
    requireUpstream(queues, upstream)
    await (paused ? pauseUpstream : resumeUpstream)(queues, upstream)
    if (options.json) writeJson(stdout, { upstream, paused })
    else if (paused)
      writeLine(stdout, `${upstream} is paused; "pullsync resume ${upstream}" ends that`)
    else writeLine(stdout, `${upstream} is running`)
  })
}
