import { Command } from 'commander'
import { findJob, type JobRecord, readJobLog } from '../../../queue/records/job-records.ts'
import { type Cli, withQueues } from '../../cli.ts'
import { CommandError } from '../../command-error.ts'
import { columnsOf, type OutputStream, writeJson, writeLine } from '../../screen/io.ts'
import { jobJson } from '../../jobs/job-json.ts'
import { ageText, imageOf, standingText } from '../../jobs/job-text.ts'
import { outcomeFacts } from '../../jobs/outcome-facts.ts'
import { indented, plainText } from '../../../text/plain-text.ts'

export function jobsShowCommand(cli: Cli): Command {
  return new Command('show')
    .description('show everything about one job, with its log')
    .argument('<id>', 'the id of a job, as "pullsync jobs list" prints it')
    .action(async (id: string, _options: unknown, command: Command) => {
      await show(cli, command, id)
    })
}

async function show(cli: Cli, command: Command, id: string): Promise<void> {
  const { stdout } = cli.streams
  await withQueues(cli, command, async ({ queues, options }) => {
    const found = await findJob(queues, id)
    if (found === undefined) throw new CommandError(noSuchJob(id))
    const log = await readJobLog(found)
    if (options.json) writeJson(stdout, { ...jobJson(found.record), log })
    else writeJob(stdout, found.record, log)
  })
}

function noSuchJob(id: string): string {
  return `there is no job ${JSON.stringify(id)}; jobs that ended are kept as long as the configuration's jobs.keepCompleted and jobs.keepFailed say`
}

function writeJob(stdout: OutputStream, record: JobRecord, log: readonly string[]): void {
  const facts = factsOf(record, Date.now()).filter(([, value]) => value !== undefined)
  const width = Math.max(...facts.map(([name]) => name.length))
  for (const [name, value = ''] of facts) {
    writeLine(stdout, `${`${name}:`.padEnd(width + 2)}${plainText(value)}`)
  }
  if (record.failedReason !== undefined) {
    writeLine(stdout, record.state === 'failed' ? 'why it failed:' : 'why it failed last:')
    writeLine(stdout, indented(record.failedReason, '    ', columnsOf(stdout)))
  }
  writeLine(stdout, log.length === 0 ? 'log: empty' : 'log:')
  for (const line of log) writeLine(stdout, indented(line, '    ', columnsOf(stdout)))
}

type Fact = readonly [name: string, value: string | undefined]

function factsOf(record: JobRecord, now: number): readonly Fact[] {
  return [
    ['id', record.id],
    ['image', imageOf(record)],
    ['state', stateText(record, now)],
    ['for', ageText(record, now)],
    ['attempts', `${record.attemptsMade} of ${record.attempts}`],
    ...requestFacts(record),
    ...outcomeFacts(record.outcome),
    ['queued', time(record.addedAt)],
    ['started', time(record.startedAt)],
    ['ended', time(record.finishedAt)],
    ['due', time(record.dueAt)],
  ]
}

function stateText(record: JobRecord, now: number): string {
  const standing = standingText(record, now)
  return standing === record.state ? standing : `${record.state}, ${standing}`
}

function requestFacts({ upstream, request }: JobRecord): readonly Fact[] {
  if (request === undefined) return [['upstream', upstream]]
  const { upstreams, upstreamRepository, repository, trigger, platforms, eventId } = request
  return [
    ['upstream', upstreams.join(', then ')],
    ['name there', upstreamRepository === repository ? undefined : upstreamRepository],
    ['asked for by', trigger],
    ['announced', request.announcedDigest],
    ['platforms', platforms === 'all' ? 'all' : platforms.join(', ')],
    ['event', eventId],
  ]
}

function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
