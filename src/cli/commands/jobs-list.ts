import { Command, Option } from 'commander'
import { JOB_STATES, type JobRecord, type JobState, listJobs } from '../../queue/job-records.ts'
import { globArgument, limitArgument } from '../arguments.ts'
import { type Cli, withQueues } from '../cli.ts'
import { imageMatcher } from '../image-match.ts'
import { columnsOf, type OutputStream, writeJson, writeLine } from '../io.ts'
import { jobJson } from '../job-json.ts'
import { ageText, imageOf, standingText } from '../job-text.ts'
import { requireUpstream } from '../known-upstream.ts'
import { indented, plainText } from '../plain-text.ts'
import { tableLines } from '../table.ts'

interface ListOptions {
  readonly state?: JobState
  readonly upstream?: string
  readonly match?: string
  readonly limit: number
}

const DEFAULT_LIMIT = 50
const HEAD = ['ID', 'STATE', 'UPSTREAM', 'IMAGE', 'WHY', 'TRIES', 'PROGRESS/OUTCOME', 'AGE']

export function jobsListCommand(cli: Cli): Command {
  return new Command('list')
    .description('list jobs, the newest first; of failed ones also why they failed')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(JOB_STATES))
    .option('--upstream <id>', 'only jobs of this upstream')
    .option('--match <glob>', 'only images or repositories that match', globArgument)
    .option('--limit <n>', 'at most so many', limitArgument, DEFAULT_LIMIT)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await list(cli, command, command.opts<ListOptions>())
    })
}

const EXAMPLES = `
Examples:
  $ pullsync jobs list --state failed
  $ pullsync jobs list --upstream hq --match 'team/*' --limit 10
  $ pullsync jobs list --state failed --json | jq -r '.[].image'`

async function list(cli: Cli, command: Command, chosen: ListOptions): Promise<void> {
  const { stdout, stderr } = cli.streams
  await withQueues(cli, command, async ({ queues, options }) => {
    const { state, upstream, match, limit } = chosen
    requireUpstream(queues, upstream)
    // One more than is shown tells whether there are more.
    const found = await listJobs(queues, {
      states: state === undefined ? JOB_STATES : [state],
      ...(upstream !== undefined && { upstream }),
      matches: imageMatcher(match),
      limit: limit + 1,
    })
    const shown = found.slice(0, limit)
    if (options.json) writeJson(stdout, shown.map(jobJson))
    else if (shown.length === 0) writeLine(stdout, 'no such jobs')
    else writeTable(stdout, shown)
    if (found.length > limit)
      writeLine(stderr, `only the newest ${limit} are shown; --limit shows more`)
  })
}

function writeTable(stdout: OutputStream, records: readonly JobRecord[]): void {
  const now = Date.now()
  const [head = '', ...lines] = tableLines(
    HEAD,
    records.map((record) => rowOf(record, now)),
  )
  writeLine(stdout, head)
  records.forEach((record, i) => {
    writeLine(stdout, lines[i])
    const reason = reasonOf(record)
    if (reason !== undefined) writeLine(stdout, indented(reason, '    ', columnsOf(stdout)))
  })
}

function rowOf(record: JobRecord, now: number): readonly string[] {
  const { id, state, upstream, request, attemptsMade, attempts } = record
  return [
    id,
    state,
    upstream,
    imageOf(record),
    request?.trigger ?? '',
    `${attemptsMade}/${attempts}`,
    plainText(standingText(record, now)).replaceAll('\n', ' '),
    ageText(record, now),
  ]
}

// One that is to be tried again says what went wrong so far.
function reasonOf({ state, failedReason }: JobRecord): string | undefined {
  return state === 'completed' || state === 'active' ? undefined : failedReason
}
