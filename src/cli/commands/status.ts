import { Command } from 'commander'
import { readStatus, type UpstreamStatus } from '../../queue/upstream-status.ts'
import { type Cli, withQueues } from '../cli.ts'
import { formatDuration } from '../duration.ts'
import { type OutputStream, writeJson, writeLine } from '../io.ts'
import { plainText } from '../plain-text.ts'
import { tableLines } from '../table.ts'
import { warnOfWaits } from '../warn-of-waits.ts'

export function statusCommand(cli: Cli): Command {
  return new Command('status')
    .description('counts, rates and health per upstream')
    .action(async (_options: unknown, command: Command) => {
      await withQueues(cli, command, async ({ queues, options }) => {
        const all = await readStatus(queues)
        if (options.json) writeJson(cli.streams.stdout, all)
        else writeTable(cli.streams.stdout, all)
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
const HISTORY = ['LAST 10 MIN', 'LAST SUCCESS', 'LAST FAILURE']

function writeTable(stdout: OutputStream, all: readonly UpstreamStatus[]): void {
  const now = Date.now()
  // Most upstreams do not count pulls.
  const counted = all.some(({ allowance }) => allowance !== undefined)
  const lines = tableLines(
    [...COUNTS, ...(counted ? ['PULLS LEFT'] : []), ...HISTORY],
    all.map((status) => [
      ...countsOf(status),
      ...(counted ? [allowanceText(status)] : []),
      ...historyOf(status, now),
    ]),
  )
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

function stateText({ paused, heldForMs }: UpstreamStatus): string {
  if (paused) return 'paused'
  return heldForMs > 0 ? `held ${formatDuration(heldForMs)}` : 'running'
}

function agoText(at: number | undefined, now: number): string {
  return at === undefined ? '' : `${formatDuration(now - at)} ago`
}
