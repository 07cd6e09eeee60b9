import { Command } from 'commander'
import { removeJob } from '../../../queue/records/job-actions.ts'
import { type Cli, withQueues } from '../../cli.ts'
import { actOnJobs, reportActions } from '../../jobs/change-jobs.ts'

export function jobsRemoveCommand(cli: Cli): Command {
  return new Command('remove')
    .description('drop jobs that are not running, with their records')
    .argument('<ids...>', 'ids of jobs')
    .action(async (ids: string[], _options: unknown, command: Command) => {
      await withQueues(cli, command, async ({ queues, options }) => {
        const results = await actOnJobs(ids, (id) => removeJob(queues, id))
        reportActions(cli.streams, results, { done: 'removed', ...options })
      })
    })
}
