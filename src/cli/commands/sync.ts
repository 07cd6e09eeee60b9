import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import { formatImageName, type ImageName, parseImageName } from '../../oci/reference.ts'
import { decideManual } from '../../policy/decide.ts'
import type { IgnoreReason } from '../../policy/decision.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { readStatus } from '../../queue/upstream-status.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { durationArgument } from '../arguments.ts'
import { type Cli, withQueues } from '../cli.ts'
import { CommandError, usageError } from '../command-error.ts'
import { followJob } from '../follow-job.ts'
import { writeJson, writeLine } from '../io.ts'
import { warnOfWaits } from '../warn-of-waits.ts'

interface SyncOptions {
  readonly wait?: true
  readonly timeout: number
}

const HOUR_MS = 3_600_000

export function syncCommand(cli: Cli): Command {
  return new Command('sync')
    .description('ask for one image by hand')
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
      const image = parseImageName(text)
      if (!image.ok) throw usageError(image.reason)
      await sync(cli, command, image.value)
    })
}

const EXAMPLES = `
Examples:
  $ pullsync sync team/app:1.0 --wait
  $ pullsync sync team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`

async function sync(cli: Cli, command: Command, image: ImageName): Promise<void> {
  const { stdout, stderr } = cli.streams
  const { wait, timeout } = command.opts<SyncOptions>()
  await withQueues(cli, command, async ({ queues, config, options }) => {
    const request = requestFor(image, config)
    const queued = await enqueue(queues, request)
    const statuses = await readStatus(queues)
    warnOfWaits(
      stderr,
      statuses.filter(({ upstream }) => upstream === request.upstreams[0]),
    )
    if (wait === true) {
      if (!options.json) writeLine(stdout, queuedText(queued, request))
      await followJob(cli.streams, queues, queued.jobId, { timeoutMs: timeout, json: options.json })
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
    `${name} is not replicated: ${IN_WORDS[decision.reason]} (${config.file}).`,
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

const IN_WORDS: Readonly<Record<IgnoreReason, string>> = {
  'unknown-project': 'no project of the configuration has this name, and there is none named "*"',
  'auto-sync-off': 'its project has autoSync: false',
  'repository-filtered': "its project's repositories filter leaves this repository out",
  'tag-filtered': "its project's tags filter leaves this tag out",
  'name-too-long': 'with upstreamProject, the name on the upstream is longer than registries take',
  'own-activity': 'it is what pullsync did itself',
  'upstream-push-ignored': 'its project has onUpstreamPush: ignore',
  'local-push': 'it was pushed to the local registry',
  pull: 'a pull asks for nothing',
  delete: 'a deletion asks for nothing',
  'nothing-named': 'no tag or digest is named',
}
