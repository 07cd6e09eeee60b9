import { visibleJson } from '../text/invisible.ts'
import { masked } from './masked.ts'

/** What winston hands to a line format. */
export interface LogEntry {
  readonly level: string
  readonly message: unknown
  readonly [key: string]: unknown
}

/** One JSON object: time, level and message first, then the facts, none of which can replace those. */
export function jsonLine(entry: LogEntry): string {
  const head = { time: new Date().toISOString(), level: entry.level, message: entry.message }
  return visibleJson(JSON.stringify({ ...head, ...factsOf(entry), ...head }))
}

/** The facts of a log entry, fit to be written down. */
export function factsOf({ facts }: LogEntry): Readonly<Record<string, unknown>> {
  return masked(typeof facts === 'object' && facts !== null ? { ...facts } : {})
}
