import { Command } from 'commander'
import { pauseUpstream, resumeUpstream } from '../../queue/upstream-status.ts'
import { type Cli, withQueues } from '../cli.ts'
import { writeJson, writeLine } from '../io.ts'
import { requireUpstream } from '../known-upstream.ts'

const UPSTREAM = 'the id of an upstream in the configuration'

export function pauseCommand(cli: Cli): Command {
  return new Command('pause')
    .description('start no more jobs of one upstream; running ones end, new ones wait')
    .argument('<upstream>', UPSTREAM)
    .action(async (upstream: string, _options: unknown, command: Command) => {
      await set(cli, command, upstream, true)
    })
}

export function resumeCommand(cli: Cli): Command {
  return new Command('resume')
    .description('start jobs of a paused upstream again; also ends a wait that it asked for')
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
