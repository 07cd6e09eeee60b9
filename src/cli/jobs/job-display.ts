import type { JobRecord } from '../../queue/records/job-records.ts'
import { columnsOf, isTerminal, type OutputStream, writeLine } from '../screen/io.ts'
import { standingText } from './job-text.ts'
import { plainText } from '../../text/plain-text.ts'
import { progressBars } from '../screen/progress-bars.ts'
import { RepaintedLines } from '../screen/repainted-lines.ts'

/** How somebody who waits for a job sees it go on. */
export interface JobDisplay {
  show(record: JobRecord): void
  /** The job has ended: what was of use only while it ran goes away. */
  ended(): void
  /** The wait has ended, the job goes on: what was seen last stays. */
  left(): void
}

export const NO_DISPLAY: JobDisplay = {
  show: () => undefined,
  ended: () => undefined,
  left: () => undefined,
}

export function jobDisplay(stdout: OutputStream): JobDisplay {
  return isTerminal(stdout) ? terminalDisplay(stdout) : lineDisplay(stdout)
}

/** A line that changes, and one for each blob that is coming. */
function terminalDisplay(terminal: OutputStream): JobDisplay {
  const lines = new RepaintedLines(terminal)
  return {
    show(record) {
      if (record.outcome !== undefined) return
      const whole = plainText(`${stateText(record)}: ${standingText(record, Date.now())}`)
      // A worker that died could not take back what it had written of its blobs.
      const coming = record.state === 'active' ? (record.progress?.underWay ?? []) : []
      const why = whyDelayed(record)
      const below = why === undefined ? [] : [`  ${plainText(why)}`]
      lines.paint([whole, ...below, ...progressBars(coming, columnsOf(terminal) - 1)])
    },
    ended: () => {
      lines.clear()
    },
    left: () => {
      lines.leave()
    },
  }
}

/** A line per change of state. */
function lineDisplay(stdout: OutputStream): JobDisplay {
  let last = ''
  return {
    ...NO_DISPLAY,
    show(record) {
      if (record.outcome !== undefined) return
      const line = stateText(record)
      const why = whyDelayed(record)
      const text = why === undefined ? line : `${line}: ${why}`
      if (line !== last && record.state !== 'failed') writeLine(stdout, plainText(text))
      last = line
    },
  }
}

function whyDelayed({ state, failedReason }: JobRecord): string | undefined {
  return state === 'delayed' ? failedReason : undefined
}

function stateText({ state, attemptsMade, attempts }: JobRecord): string {
  return attemptsMade > 0 ? `${state}, ${attemptsMade} of ${attempts} attempts failed` : state
}
