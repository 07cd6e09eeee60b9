import { parsed } from '../../oci/parsed.ts'
import { MAX_BACKOFF_MS, MAX_PAUSE_MS } from '../schema/defaults.ts'
import { formatDuration, parseDuration } from '../schema/scalars.ts'
import type { Finding } from './finding.ts'
import { type Mapping, mappingAt, textAt } from './outline.ts'

/** A first pause that is longer than the longest would be cut to that without a word. */
export function pauseRules(root: Mapping): readonly Finding[] {
  return [
    ...firstAndMost(root, {
      section: 'jobs',
      first: 'backoff',
      most: 'maxBackoff',
      unless: MAX_BACKOFF_MS,
    }),
    ...firstAndMost(root, {
      section: 'outages',
      first: 'pause',
      most: 'maxPause',
      unless: MAX_PAUSE_MS,
    }),
  ]
}

interface Pair {
  readonly section: string
  readonly first: string
  readonly most: string
  /** What the longest is unless the file tells, in milliseconds. */
  readonly unless: number
}

const ANY = { min: 0, max: Infinity }

function firstAndMost(root: Mapping, { section, first, most, unless }: Pair): readonly Finding[] {
  const own = mappingAt(root, section)
  const [from, to] = [textAt(own, first), textAt(own, most)]
  if (from === undefined) return []
  const least = parseDuration(from, ANY)
  const greatest = to === undefined ? parsed(unless) : parseDuration(to, ANY)
  if (!least.ok || !greatest.ok || least.value <= greatest.value) return []
  const message = `${first} is longer than ${most}${to === undefined ? `, which is ${formatDuration(unless)} unless told` : ''}: raise ${most}, or shorten ${first}`
  return [{ path: [section, first], message }]
}
