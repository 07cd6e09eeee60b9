import { Command } from 'commander'
import { readStatus, type UpstreamStatus } from '../../queue/records/upstream-status.ts'
import { type Cli, withQueues } from '../cli.ts'
import { formatDuration } from '../../text/duration.ts'
import { type OutputStream, tableWidth, writeJson, writeLine } from '../screen/io.ts'
import type { GlobalOptions } from '../global-options.ts'
import { plainText } from '../../text/plain-text.ts'
import { fittedLines } from '../screen/fitted-table.ts'
import { warnOfWaits } from '../redis/warn-of-waits.ts'

export function statusCommand(cli: Cli): Command {
  return new Command('status').action(async (_options: unknown, command: Command) => {
    await withQueues(cli, command, async ({ queues, options }) => {
      const all = await readStatus(queues)
      if (options.json) writeJson(cli.streams.stdout, all)
      else writeTable(cli.streams.stdout, all, options)
      warnOfWaits(cli.streams.stderr, all)
    })
  })
}

const COUNTS = [
  'UPSTREAM',
  'STATE',
  'WAITING',
  'ACTIVE',
  'DELAYED',
  'FAILED',
  'COMPLETED',
  'WORKERS',
]
/** The least missed first. */
const SPARE = ['COMPLETED', 'LAST 10 MIN', 'LAST SUCCESS', 'PULLS LEFT', 'WORKERS', 'DELAYED']
const REASONS = { head: 'LAST FAILURE', least: 16 }
const HISTORY = ['LAST 10 MIN', 'LAST SUCCESS', 'LAST FAILURE']

function writeTable(
  stdout: OutputStream,
  all: readonly UpstreamStatus[],
  options: Pick<GlobalOptions, 'wide'>,
): void {
  const now = Date.now()
  // Most upstreams do not count pulls.
  const counted = all.some(({ allowance }) => allowance !== undefined)
  const head = [...COUNTS, ...(counted ? ['PULLS LEFT'] : []), ...HISTORY]
  const rows = all.map((status) => [
    ...countsOf(status),
    ...(counted ? [allowanceText(status)] : []),
    ...historyOf(status, now),
  ])
  const table = { head, rows, spare: SPARE, elastic: REASONS }
  const lines = fittedLines(table, tableWidth(stdout, options))
  for (const line of lines) writeLine(stdout, line)
}

function countsOf(status: UpstreamStatus): readonly string[] {
  const { upstream, counts, workers } = status
  return [
    upstream,
    stateText(status),
    `${counts.waiting}`,
    `${counts.active}`,
    `${counts.delayed}`,
    `${counts.failed}`,
    `${counts.completed}`,
    `${workers}`,
  ]
}

function allowanceText({ allowance }: UpstreamStatus): string {
  return allowance === undefined ? '' : `${allowance.remaining} of ${allowance.limit}`
}

function historyOf({ recent, health }: UpstreamStatus, now: number): readonly string[] {
  return [
    `${recent.completed} done, ${recent.failed} failed`,
    agoText(health.lastSuccessAt, now),
    [agoText(health.lastFailureAt, now), plainText(health.lastFailure ?? '').replaceAll('\n', ' ')]
      .filter((part) => part !== '')
      .join(': '),
  ]
}

function stateText({ paused, heldForMs, hold }: UpstreamStatus): string {
  if (paused) return 'paused'
  if (hold?.kind === 'down') {
    return hold.forMs > 0 ? `down, tried in ${formatDuration(hold.forMs)}` : 'down, being tried'
  }
  return heldForMs > 0 ? `held ${formatDuration(heldForMs)}` : 'running'
}

function agoText(at: number | undefined, now: number): string {
  return at === undefined ? '' : `${formatDuration(now - at)} ago`
}
