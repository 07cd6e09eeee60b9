import type { UpstreamStatus } from '../queue/records/upstream-status.ts'
import { upstreamWords } from './upstream-words.ts'

/** Why work of an upstream waits, and what to do about it; undefined where nothing is in the way. */
export function whyItWaits(status: UpstreamStatus): string | undefined {
  const { upstream, workers, paused } = status
  const remedies = [
    ...(paused ? [`"pullsync resume ${upstream}" ends that`] : []),
    ...(workers === 0 ? ['start "pullsync worker" or "pullsync up"'] : []),
  ]
  if (remedies.length > 0) {
    return `${paused ? 'the upstream is paused' : 'no worker serves it'}; ${remedies.join(', and ')}`
  }
  const { state, why } = upstreamWords(status)
  return state === 'down' || state === 'held' ? `the upstream is ${state}. ${why}` : undefined
}
