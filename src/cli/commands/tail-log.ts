import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import type { Address } from '../../config/config.ts'
import { missInLogLine } from '../../events/log-line.ts'
import type { MissEvent } from '../../events/registry-event.ts'
import { decide } from '../../policy/decide.ts'
import { isLimited, type Offered } from '../../queue/enqueued.ts'
import { QueueUnavailableError } from '../../pool/redis-errors.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { openTelemetry } from '../../telemetry/telemetry.ts'
import type { Reporter } from '../../telemetry/reports/report.ts'
import { addressArgument } from '../arguments.ts'
import { type Cli, withQueues, type WithQueues } from '../cli.ts'
import { usageError } from '../command-error.ts'
import { linesOfFile, linesOfInput, linesOfSyslog } from '../log-lines.ts'
import { runUntilStopped } from '../run-until-stopped.ts'

/** As the source of events in logs and metrics. */
const SOURCE = 'log'
const TRY_AGAIN_MS = 1_000

export function tailLogCommand(cli: Cli): Command {
  return new Command('tail-log')
    .argument(
      '[file]',
      'a log file, followed from its end, also over rotation; - is standard input',
    )
    .option('--syslog <host:port>', 'take syslog datagrams (UDP) there instead', addressArgument)
    .addHelpText('after', EXAMPLES)
    .action(async (file: string | undefined, options: TailLogOptions, command: Command) => {
      await runUntilStopped(async ({ signal }) => {
        requireOne(file, options)
        await withQueues(cli, command, async (surroundings) => {
          const lines = await linesFrom(file, options, signal)
          const { logger, reporter } = openTelemetry(cli.env)
          logger.log('info', 'following a log', { log: nameOf(file, options) })
          await takeLines(lines, { ...surroundings, reporter, signal })
        })
      })
    })
}

interface TailLogOptions {
  readonly syslog?: Address
}

const EXAMPLES = `
Examples:
  $ pullsync tail-log /var/log/registry.log
  $ journalctl -fu registry -o cat | pullsync tail-log -
  $ pullsync tail-log --syslog 127.0.0.1:5514`

function requireOne(file: string | undefined, { syslog }: TailLogOptions): void {
  if ((file === undefined) !== (syslog === undefined)) return
  throw usageError('name a log file, - for standard input, or --syslog HOST:PORT; one of them')
}

async function linesFrom(
  file: string | undefined,
  { syslog }: TailLogOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  if (syslog !== undefined) return await linesOfSyslog(syslog, signal)
  return file === '-' ? linesOfInput(process.stdin, signal) : await linesOfFile(file ?? '', signal)
}

function nameOf(file: string | undefined, { syslog }: TailLogOptions): string {
  if (syslog !== undefined) return `syslog at ${syslog.host}:${syslog.port}`
  return file === '-' ? 'standard input' : (file ?? '')
}

interface Surroundings extends WithQueues {
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

async function takeLines(lines: AsyncIterable<string>, surroundings: Surroundings): Promise<void> {
  for await (const line of lines) {
    const event = missInLogLine(line, randomUUID())
    const request = event && requestFor(event, surroundings)
    if (request !== undefined) await offer(request, surroundings)
  }
}

function requestFor(
  event: MissEvent,
  { config, reporter }: Surroundings,
): ReplicationRequest | undefined {
  const { id: eventId, repository } = event
  const said = { source: SOURCE, requestId: eventId }
  reporter.eventReceived(said, event)
  const origin = { registry: 'local', account: config.local.username, source: SOURCE }
  const decision = decide(event, origin, config.projects)
  if (decision.kind === 'replicate') return decision.request
  reporter.eventIgnored(said, { reason: decision.reason, eventId, repository })
  return undefined
}

/** Until Redis takes it: the log waits, and nothing in it is lost. */
async function offer(
  request: ReplicationRequest,
  { queues, reporter, signal }: Surroundings,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const [offered] = await queues.offer([request])
      if (offered !== undefined) reportOffered(offered, request, reporter)
      return
    } catch (error) {
      if (!(error instanceof QueueUnavailableError)) throw error
      reporter.queueUnavailable({ requests: 1, reason: error.message })
      await delay(TRY_AGAIN_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

function reportOffered(offered: Offered, request: ReplicationRequest, reporter: Reporter): void {
  const { eventId, repository } = request
  if (isLimited(offered)) {
    const said = { source: SOURCE, requestId: eventId }
    reporter.eventIgnored(said, { reason: offered.limited, eventId, repository })
  } else {
    reporter.jobEnqueued(request, offered)
  }
}
