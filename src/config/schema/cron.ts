import { parsed, type Parsed, unparsable } from '../../oci/parsed.ts'

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly words: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  // 7 is Sunday too.
  { name: 'day of week', min: 0, max: 7, words: DAYS },
]

/** A cron expression of five fields: values, names, ranges, lists and steps. */
export function parseCron(text: string): Parsed<string> {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== FIELDS.length) {
    return unparsable('expected a cron expression of five fields such as "0 3 * * *"')
  }
  const wrong = FIELDS.find((field, index) => !matches(field, parts[index] ?? ''))
  if (wrong === undefined) return parsed(parts.join(' '))
  return unparsable(
    `the cron field "${wrong.name}" is wrong: expected *, values from ${wrong.min} to ${wrong.max}, ranges, lists or steps`,
  )
}

function matches(field: Field, text: string): boolean {
  return text.split(',').every((part) => matchesPart(field, part))
}

function matchesPart(field: Field, part: string): boolean {
  const [, range = '', step = '1'] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(part) ?? []
  const stepFits = Number(step) >= 1 && Number(step) <= field.max
  return stepFits && (range === '*' || matchesRange(field, range))
}

function matchesRange(field: Field, range: string): boolean {
  const ends = range.split('-').map((end) => valueOf(field, end))
  const [from = Infinity, to = from] = ends
  return ends.length <= 2 && !ends.includes(undefined) && from <= to
}

function valueOf(field: Field, text: string): number | undefined {
  const word = field.words.indexOf(text.toLowerCase())
  if (word >= 0) return word + field.min
  const value = /^\d{1,2}$/.test(text) ? Number(text) : -1
  return value >= field.min && value <= field.max ? value : undefined
}
