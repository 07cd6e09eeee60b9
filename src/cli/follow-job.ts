import type { JobRecord } from '../queue/job-records.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { waitForJob } from '../queue/wait-for-job.ts'
import { stopSignal } from '../lifecycle/stop-signal.ts'
import { CommandError } from './command-error.ts'
import { formatDuration } from './duration.ts'
import { type OutputStream, type Streams, writeJson, writeLine } from './io.ts'
import { jobDisplay, NO_DISPLAY } from './job-display.ts'
import { jobJson } from './job-json.ts'
import { outcomeText } from './job-text.ts'
import { outcomeFacts } from './outcome-facts.ts'
import { plainText } from './plain-text.ts'

export interface FollowOptions {
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
  { timeoutMs, json }: FollowOptions,
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
  }).catch((cause: unknown) => {
    display.left()
    throw new CommandError(endOfWait({ id, cause, timeoutMs, interrupted, tooLate }), { cause })
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
}

function endOfWait({ id, cause, timeoutMs, interrupted, tooLate }: EndOfWait): string {
  const goesOn = `the job goes on; "pullsync jobs show ${id}" tells how`
  if (interrupted.aborted) return `stopped waiting; ${goesOn}`
  if (tooLate.aborted) return `not done within ${formatDuration(timeoutMs)}; ${goesOn}`
  const why = cause instanceof Error ? cause.message : String(cause)
  return `cannot follow the job any more: ${why} Otherwise ${goesOn}`
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
