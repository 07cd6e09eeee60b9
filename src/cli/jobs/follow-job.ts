import type { JobRecord } from '../../queue/records/job-records.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { readStatus } from '../../queue/records/upstream-status.ts'
import { waitForJob } from '../../queue/records/wait-for-job.ts'
import { redisFailure } from '../../pool/redis-errors.ts'
import { stopSignal } from '../../lifecycle/stop-signal.ts'
import { whyItWaits } from '../../explain/why-it-waits.ts'
import { CommandError } from '../command-error.ts'
import { formatDuration } from '../../text/duration.ts'
import { type OutputStream, type Streams, writeJson, writeLine } from '../screen/io.ts'
import { jobDisplay, NO_DISPLAY } from './job-display.ts'
import { jobJson } from './job-json.ts'
import { outcomeText } from './job-text.ts'
import { outcomeFacts } from './outcome-facts.ts'
import { plainText } from '../../text/plain-text.ts'
import { messageOf } from '../../thrown.ts'

export interface FollowOptions {
  /** Whose queue the job is in. */
  readonly upstream: string
  readonly timeoutMs: number
  readonly json: boolean
}

/**
 * Shows how the job goes until it has ended.
 * @throws CommandError when the image is not here after that, or when the wait ends first
 */
export async function followJob(
  { stdout }: Streams,
  queues: ReplicationQueues,
  id: string,
  { upstream, timeoutMs, json }: FollowOptions,
): Promise<void> {
  using stop = stopSignal()
  const interrupted = stop.signal
  const tooLate = AbortSignal.timeout(timeoutMs)
  const display = json ? NO_DISPLAY : jobDisplay(stdout)
  const ended = await waitForJob(queues, id, {
    signal: AbortSignal.any([interrupted, tooLate]),
    onChange: (record) => {
      display.show(record)
    },
  }).catch(async (cause: unknown) => {
    display.left()
    const why = tooLate.aborted ? await whyNotDone(queues, upstream) : undefined
    const end = { id, cause, timeoutMs, interrupted, tooLate, why }
    throw new CommandError(endOfWait(end), { cause })
  })
  display.ended()
  if (ended === undefined) throw new CommandError(`job ${id} is gone: somebody removed it`)
  if (json) writeJson(stdout, jobJson(ended))
  else writeEnd(stdout, ended)
  requireSuccess(ended)
}

interface EndOfWait {
  readonly id: string
  readonly cause: unknown
  readonly timeoutMs: number
  readonly interrupted: AbortSignal
  readonly tooLate: AbortSignal
  /** What the job waits for, as far as that is known. */
  readonly why: string | undefined
}

function endOfWait({ id, cause, timeoutMs, interrupted, tooLate, why }: EndOfWait): string {
  const goesOn = `the job goes on; "pullsync jobs show ${id}" tells how`
  if (interrupted.aborted) return `stopped waiting; ${goesOn}`
  if (tooLate.aborted) {
    const reason = why === undefined ? '' : `: ${why}`
    return `not done within ${formatDuration(timeoutMs)}${reason}; ${goesOn}`
  }
  const trouble = redisFailure(cause) ?? `${messageOf(cause)}.`
  return `cannot follow the job any more: ${trouble} Otherwise ${goesOn}`
}

async function whyNotDone(
  queues: ReplicationQueues,
  upstream: string,
): Promise<string | undefined> {
  const statuses = await readStatus(queues).catch(() => [])
  const status = statuses.find((each) => each.upstream === upstream)
  return status && whyItWaits(status)
}

function writeEnd(stdout: OutputStream, { outcome }: JobRecord): void {
  if (outcome === undefined) return
  writeLine(stdout, plainText(outcomeText(outcome)))
  for (const [name, value] of outcomeFacts(outcome)) writeLine(stdout, `  ${name}: ${value}`)
}

function requireSuccess({ id, outcome, failedReason }: JobRecord): void {
  if (outcome?.kind === 'copied' || outcome?.kind === 'up-to-date') return
  if (outcome === undefined) {
    throw new CommandError(
      `${plainText(failedReason ?? 'the job failed')}\n"pullsync jobs retry ${id}" runs it again.`,
    )
  }
  throw new CommandError(`the image was not copied: ${plainText(outcomeText(outcome))}`)
}
