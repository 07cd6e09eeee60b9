import { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { jobsListCommand } from './jobs-list.ts'
import { jobsRemoveCommand } from './jobs-remove.ts'
import { jobsRetryCommand } from './jobs-retry.ts'
import { jobsShowCommand } from './jobs-show.ts'

export function jobsCommand(cli: Cli): Command {
  return new Command('jobs')
    .addCommand(jobsListCommand(cli))
    .addCommand(jobsShowCommand(cli))
    .addCommand(jobsRetryCommand(cli))
    .addCommand(jobsRemoveCommand(cli))
}
