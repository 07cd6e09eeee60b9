import type { Facts } from './logger.ts'
import { maskedText } from './masked.ts'

/** Of what happened to one image, as much as is worth keeping with it. */
export interface ImageStory {
  /** `team/app:1.0` */
  readonly image: string
  readonly what: string
  readonly facts: Readonly<Record<string, string>>
}

const KEPT = [
  ...['source', 'action', 'trigger', 'reason', 'upstream', 'jobId', 'duplicate', 'attempt'],
  ...['mode', 'answer', 'outcome', 'actor', 'userAgent', 'durationMs', 'nextAttemptInMs'],
]
const LONGEST = 300

/** Undefined for what is not about one image. */
export function imageStory(what: string, facts: Facts): ImageStory | undefined {
  const { repository, reference, tag, digest } = facts
  const named = reference ?? tag ?? digest
  if (typeof repository !== 'string' || typeof named !== 'string') return undefined
  const image = `${repository}${named.includes(':') ? '@' : ':'}${named}`
  return { image, what, facts: keptOf(facts) }
}

// Picked before they are masked: this is done for every event that comes in.
function keptOf(facts: Facts): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of KEPT) {
    const value = facts[name]
    if (typeof value === 'string') kept[name] = maskedText(value).slice(0, LONGEST)
    else if (typeof value === 'number' || typeof value === 'boolean') kept[name] = String(value)
  }
  return kept
}
