import { whyItWaits } from '../../explain/why-it-waits.ts'
import type { UpstreamStatus } from '../../queue/records/upstream-status.ts'
import { plainText } from '../../text/plain-text.ts'
import { type OutputStream, writeLine } from '../screen/io.ts'

/** Says of which upstreams work waits, why, and what to do about it where somebody has to. */
export function warnOfWaits(stderr: OutputStream, all: readonly UpstreamStatus[]): void {
  for (const status of all) {
    const { upstream, counts } = status
    const work = counts.waiting + counts.active + counts.delayed
    const why = work === 0 ? undefined : whyItWaits(status)
    if (why === undefined) continue
    const what = work === 1 ? `a job of ${upstream} waits` : `${work} jobs of ${upstream} wait`
    writeLine(stderr, plainText(`warning: ${what}: ${why}`))
  }
}
