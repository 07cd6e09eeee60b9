import { Command } from 'commander'
import { type ActionResult, retryJob } from '../../../queue/records/job-actions.ts'
import { listJobs } from '../../../queue/records/job-records.ts'
import type { ReplicationQueues } from '../../../queue/queues.ts'
import { globArgument } from '../../arguments.ts'
import { type Cli, withQueues } from '../../cli.ts'
import { usageError } from '../../command-error.ts'
import { actOnJobs, reportActions } from '../../jobs/change-jobs.ts'
import { imageMatcher } from '../../jobs/image-match.ts'
import { writeJson, writeLine } from '../../screen/io.ts'
import { requireUpstream } from '../../redis/known-upstream.ts'

interface RetryOptions {
  readonly all?: true
  readonly upstream?: string
  readonly match?: string
}

export function jobsRetryCommand(cli: Cli): Command {
  return new Command('retry')
    .description('run failed jobs again, with all their attempts')
    .argument('[ids...]', 'ids of failed jobs, or of delayed ones, which run now')
    .option('--all', 'every failed job')
    .option('--upstream <id>', 'with --all: only those of this upstream')
    .option('--match <glob>', 'with --all: only images or repositories that match', globArgument)
    .addHelpText('after', EXAMPLES)
    .action(async (ids: string[], _options: unknown, command: Command) => {
      const options = command.opts<RetryOptions>()
      requireOneKind(ids, options)
      await retry(cli, command, { ids, ...options })
    })
}

const EXAMPLES = `
Examples:
  $ pullsync jobs retry hq-2qwm88hfki
  $ pullsync jobs retry --all --upstream hq --match 'team/*'`

function requireOneKind(ids: readonly string[], { all, upstream, match }: RetryOptions): void {
  if (all === true && ids.length > 0) throw usageError('give either ids or --all, not both')
  if (all === true) return
  if (ids.length === 0) throw usageError('which jobs? Give their ids, or --all')
  if (upstream !== undefined || match !== undefined) {
    throw usageError('--upstream and --match choose among all failed jobs: they go with --all')
  }
}

async function retry(
  cli: Cli,
  command: Command,
  { ids, upstream, match }: RetryOptions & { readonly ids: readonly string[] },
): Promise<void> {
  const { stdout } = cli.streams
  await withQueues(cli, command, async ({ queues, options }) => {
    requireUpstream(queues, upstream)
    const wanted = ids.length > 0 ? ids : await failedJobs(queues, { upstream, match })
    const results = await actOnJobs(wanted, (id): Promise<ActionResult> => retryJob(queues, id))
    if (results.length > 0)
      reportActions(cli.streams, results, { done: 'queued again', ...options })
    else if (options.json) writeJson(stdout, [])
    else writeLine(stdout, 'no failed jobs to run again')
  })
}

async function failedJobs(
  queues: ReplicationQueues,
  {
    upstream,
    match,
  }: { readonly upstream: string | undefined; readonly match: string | undefined },
): Promise<readonly string[]> {
  const failed = await listJobs(queues, {
    states: ['failed'],
    ...(upstream !== undefined && { upstream }),
    matches: imageMatcher(match),
    limit: Infinity,
  })
  // The oldest first: it has waited longest.
  return failed.map(({ id }) => id).reverse()
}
