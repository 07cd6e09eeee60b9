import type { JobRecord } from '../queue/job-records.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { waitForJob } from '../queue/wait-for-job.ts'
import { stopSignal } from '../lifecycle/stop-signal.ts'
import { CommandError } from './command-error.ts'
import { formatDuration } from './duration.ts'
import {
  columnsOf,
  isTerminal,
  type OutputStream,
  type Streams,
  writeJson,
  writeLine,
} from './io.ts'
import { jobJson } from './job-json.ts'
import { outcomeText, standingText } from './job-text.ts'
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
  const show = json ? () => undefined : progressWriter(stdout)
  const ended = await waitForJob(queues, id, {
    signal: AbortSignal.any([interrupted, tooLate]),
    onChange: show,
  }).catch((cause: unknown) => {
    if (isTerminal(stdout) && !json) writeLine(stdout)
    throw new CommandError(endOfWait({ id, cause, timeoutMs, interrupted, tooLate }), { cause })
  })
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

/** On a terminal one line that changes; elsewhere a line per change of state. */
function progressWriter(stdout: OutputStream): (record: JobRecord) => void {
  let last = ''
  return (record) => {
    if (record.outcome !== undefined) return
    const { state, attemptsMade, attempts, failedReason } = record
    const attempt = attemptsMade > 0 ? `, ${attemptsMade} of ${attempts} attempts failed` : ''
    if (isTerminal(stdout)) {
      const line = plainText(`${state}${attempt}: ${standingText(record, Date.now())}`)
      stdout.write(`\r\u001b[K${line.slice(0, columnsOf(stdout) - 1)}`)
      return
    }
    const line = `${state}${attempt}`
    const why = state === 'delayed' && failedReason !== undefined ? `: ${failedReason}` : ''
    if (line !== last && state !== 'failed') writeLine(stdout, plainText(line + why))
    last = line
  }
}

function writeEnd(stdout: OutputStream, { outcome }: JobRecord): void {
  if (isTerminal(stdout)) stdout.write('\r\u001b[K')
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
