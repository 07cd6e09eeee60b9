import { styleText } from 'node:util'
import { visibleJson } from '../text/invisible.ts'
import { factsOf, type LogEntry } from './json-line.ts'

const COLOURS = { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' } as const

/** For people at a terminal: `12:30:05.123 info  job ended  upstream=hq repository=team/app`. */
export function prettyLine(entry: LogEntry): string {
  const time = new Date().toISOString().slice(11, 23)
  const level = colour(entry.level, entry.level.padEnd(5))
  const facts = Object.entries(factsOf(entry)).map(
    ([key, value]) => `${styleText('gray', `${key}=`)}${shown(value)}`,
  )
  return [`${styleText('gray', time)} ${level} ${String(entry.message)}`, ...facts].join(' ')
}

function colour(level: string, text: string): string {
  const known = Object.entries(COLOURS).find(([name]) => name === level)
  return known === undefined ? text : styleText(known[1], text)
}

// Quoted when it is not one plain word: a sender's text must not forge lines or move the cursor.
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value
  return visibleJson(JSON.stringify(isErrorLike(value) ? value.message : value))
}

function isErrorLike(value: unknown): value is { readonly message: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'message' in value &&
    typeof value.message === 'string'
  )
}
