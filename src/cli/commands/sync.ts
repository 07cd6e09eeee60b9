import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { IGNORE_WORDS } from '../../explain/ignore-words.ts'
import { formatImageName, type ImageName } from '../../oci/reference.ts'
import { decideManual } from '../../policy/decide.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { readStatus } from '../../queue/records/upstream-status.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { durationArgument } from '../arguments.ts'
import { type Cli, withQueues } from '../cli.ts'
import { CommandError } from '../command-error.ts'
import { imageArgument } from '../image-argument.ts'
import { followJob } from '../jobs/follow-job.ts'
import { writeJson, writeLine } from '../screen/io.ts'
import { warnOfWaits } from '../redis/warn-of-waits.ts'

interface SyncOptions {
  readonly wait?: true
  readonly timeout: number
}

const HOUR_MS = 3_600_000

export function syncCommand(cli: Cli): Command {
  return new Command('sync')
    .argument(
      '<image>',
      'REPOSITORY[:TAG|@DIGEST], as clients pull it; the tag is latest unless told',
    )
    .option(
      '--wait',
      'show progress until it is done; the exit code says whether the image is here',
    )
    .option(
      '--timeout <duration>',
      'with --wait: how long, such as 90s or 10m (default: 1h)',
      durationArgument,
      HOUR_MS,
    )
    .addHelpText('after', EXAMPLES)
    .action(async (text: string, _options: unknown, command: Command) => {
      await sync(cli, command, text)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync sync team/app:1.0 --wait
  $ pullsync sync harbor.hq.example/team/app:1.0
  $ pullsync sync team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`

async function sync(cli: Cli, command: Command, text: string): Promise<void> {
  const { stdout, stderr } = cli.streams
  const { wait, timeout } = command.opts<SyncOptions>()
  await withQueues(cli, command, async ({ queues, config, options }) => {
    const request = requestFor(imageArgument(text, config), config)
    const queued = await enqueue(queues, request)
    const [upstream] = request.upstreams
    const statuses = await readStatus(queues)
    warnOfWaits(
      stderr,
      statuses.filter((status) => status.upstream === upstream),
    )
    if (wait === true) {
      if (!options.json) writeLine(stdout, queuedText(queued, request))
      const follow = { upstream, timeoutMs: timeout, json: options.json }
      await followJob(cli.streams, queues, queued.jobId, follow)
    } else if (options.json) {
      const { repository, reference, upstreams } = request
      writeJson(stdout, { ...queued, image: formatImageName(repository, reference), upstreams })
    } else {
      writeLine(stdout, queuedText(queued, request))
    }
  })
}

function requestFor(image: ImageName, config: Config): ReplicationRequest {
  const decision = decideManual({ ...image, eventId: randomUUID() }, config.projects)
  if (decision.kind === 'replicate') return decision.request
  const name = formatImageName(image.repository, image.reference)
  throw new CommandError(
    `${name} is not replicated: ${IGNORE_WORDS[decision.reason]} (${config.file}).`,
  )
}

async function enqueue(queues: ReplicationQueues, request: ReplicationRequest) {
  const [queued] = await queues.enqueue([request])
  if (queued === undefined) throw new CommandError('Redis took the job but told no id for it')
  return queued
}

function queuedText(
  { jobId, duplicate }: { readonly jobId: string; readonly duplicate: boolean },
  { repository, reference, upstreams }: ReplicationRequest,
): string {
  const image = formatImageName(repository, reference)
  const from = upstreams.join(', then ')
  return duplicate
    ? `${jobId}  ${image} from ${from} is already queued or running`
    : `${jobId}  ${image} queued, from ${from}`
}
