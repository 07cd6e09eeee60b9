import type { UpstreamStatus } from '../queue/upstream-status.ts'
import { type OutputStream, writeLine } from './io.ts'

/** Says of which upstreams work waits that nobody will do, and what to do about it. */
export function warnOfWaits(stderr: OutputStream, all: readonly UpstreamStatus[]): void {
  for (const status of all) {
    const remedies = remediesFor(status)
    if (remedies.length === 0) continue
    const { upstream, paused, counts } = status
    const work = counts.waiting + counts.active + counts.delayed
    const what = work === 1 ? `a job of ${upstream} waits` : `${work} jobs of ${upstream} wait`
    const why = paused ? 'the upstream is paused' : 'no worker serves it'
    writeLine(stderr, `warning: ${what}: ${why}; ${remedies.join(', and ')}`)
  }
}

function remediesFor({ upstream, counts, workers, paused }: UpstreamStatus): readonly string[] {
  if (counts.waiting + counts.active + counts.delayed === 0) return []
  return [
    ...(paused ? [`"pullsync resume ${upstream}" ends that`] : []),
    ...(workers === 0 ? ['start "pullsync worker" or "pullsync up"'] : []),
  ]
}
