import { setTimeout as delay } from 'node:timers/promises'
import { Command, Option } from 'commander'
import { stopSignal } from '../../../lifecycle/stop-signal.ts'
import type { ReplicationQueues } from '../../../queue/queues.ts'
import {
  JOB_STATES,
  type JobRecord,
  type JobState,
  listJobs,
} from '../../../queue/records/job-records.ts'
import { usageError } from '../../command-error.ts'
import type { GlobalOptions } from '../../global-options.ts'
import { globArgument, limitArgument } from '../../arguments.ts'
import { type Cli, withQueues } from '../../cli.ts'
import { imageMatcher } from '../../jobs/image-match.ts'
import {
  columnsOf,
  isTerminal,
  type OutputStream,
  tableWidth,
  writeJson,
  writeLine,
} from '../../screen/io.ts'
import { jobJson } from '../../jobs/job-json.ts'
import { ageText, imageOf, standingText } from '../../jobs/job-text.ts'
import { requireUpstream } from '../../redis/known-upstream.ts'
import { indented, plainText } from '../../../text/plain-text.ts'
import { fittedLines } from '../../screen/fitted-table.ts'
import { RepaintedLines } from '../../screen/repainted-lines.ts'

interface ListOptions {
  readonly state?: JobState
  readonly upstream?: string
  readonly match?: string
  readonly limit: number
  readonly watch?: true
}

const DEFAULT_LIMIT = 50
/** Left out where a terminal is too narrow, the least missed first; the id begins with the upstream's. */
const SPARE = ['TRIES', 'UPSTREAM', 'WHY', 'AGE']
const HEAD = ['ID', 'STATE', 'UPSTREAM', 'IMAGE', 'WHY', 'TRIES', 'PROGRESS/OUTCOME', 'AGE']

export function jobsListCommand(cli: Cli): Command {
  return new Command('list')
    .description('list jobs, the newest first; of failed ones also why they failed')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(JOB_STATES))
    .option('--upstream <id>', 'only jobs of this upstream')
    .option('--match <glob>', 'only images or repositories that match', globArgument)
    .option('--limit <n>', 'at most so many', limitArgument, DEFAULT_LIMIT)
    .option('--watch', 'show them again every other second, until Ctrl-C')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      await list(cli, command, command.opts<ListOptions>())
    })
}

const EXAMPLES = `
Examples:
  $ pullsync jobs list --state failed
  $ pullsync jobs list --state active --watch
  $ pullsync jobs list --upstream hq --match 'team/*' --limit 10
  $ pullsync jobs list --state failed --json | jq -r '.[].image'`

async function list(cli: Cli, command: Command, chosen: ListOptions): Promise<void> {
  const { stdout, stderr } = cli.streams
  await withQueues(cli, command, async ({ queues, options }) => {
    requireUpstream(queues, chosen.upstream)
    if (chosen.watch === true) {
      await watch(stdout, options, () => find(queues, chosen))
      return
    }
    const { shown, more } = await find(queues, chosen)
    if (options.json) writeJson(stdout, shown.map(jobJson))
    else for (const line of linesOf(shown, stdout, options)) writeLine(stdout, line)
    if (more) writeLine(stderr, moreText(chosen))
  })
}

interface Found {
  readonly shown: readonly JobRecord[]
  /** Whether there are others. */
  readonly more: boolean
}

async function find(
  queues: ReplicationQueues,
  { state, upstream, match, limit }: ListOptions,
): Promise<Found> {
  const found = await listJobs(queues, {
    states: state === undefined ? JOB_STATES : [state],
    ...(upstream !== undefined && { upstream }),
    matches: imageMatcher(match),
    // One more than is shown tells whether there are more.
    limit: limit + 1,
  })
  return { shown: found.slice(0, limit), more: found.length > limit }
}

function moreText({ limit }: ListOptions): string {
  return `only the newest ${limit} are shown; --limit shows more`
}

const WATCH_EVERY_MS = 2_000

async function watch(
  stdout: OutputStream,
  options: GlobalOptions,
  find: () => Promise<Found>,
): Promise<void> {
  if (options.json || !isTerminal(stdout)) {
    throw usageError('--watch is for a terminal; scripts ask again')
  }
  using stop = stopSignal()
  const painted = new RepaintedLines(stdout)
  while (!stop.signal.aborted) {
    const { shown } = await find()
    painted.paint(linesOf(shown, stdout, options).flatMap((line) => line.split('\n')))
    await delay(WATCH_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined)
  }
  painted.leave()
}

function linesOf(
  records: readonly JobRecord[],
  stdout: OutputStream,
  options: Pick<GlobalOptions, 'wide'>,
): readonly string[] {
  if (records.length === 0) return ['no such jobs']
  const now = Date.now()
  const rows = records.map((record) => rowOf(record, now))
  const table = { head: HEAD, rows, spare: SPARE }
  const [head = '', ...lines] = fittedLines(table, tableWidth(stdout, options))
  const withReasons = records.flatMap((record, i) => {
    const reason = reasonOf(record)
    const line = lines[i] ?? ''
    return reason === undefined ? [line] : [line, indented(reason, '    ', columnsOf(stdout))]
  })
  return [head, ...withReasons]
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
