import { createLogger as createWinston, format, transports } from 'winston'
import { jsonLine } from './json-line.ts'
import { LOG_LEVELS, type LogLevel, LogLevelError } from './log-level.ts'
import { prettyLine } from './pretty-line.ts'

/** What is known about what happened. Secrets do not belong here; those that come anyway are masked. */
export type Facts = Readonly<Record<string, unknown>>

/** The message is a fixed text that can be searched for; whatever varies is a fact. */
export interface Logger {
  log(level: LogLevel, message: string, facts?: Facts): void
  /** The same log with these facts on every line. */
  with(facts: Facts): Logger
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** Readable lines with colour instead of JSON. */
  readonly pretty: boolean
  readonly stream: NodeJS.WritableStream
}

/**
 * To stdout: one JSON object per line, or readable lines when stdout is a terminal.
 * @throws LogLevelError when LOG_LEVEL is set to something that is not a level
 */
export function loggerOptionsFrom(env: NodeJS.ProcessEnv): LoggerOptions {
  const given = env['LOG_LEVEL'] ?? ''
  const level = given === '' ? 'info' : LOG_LEVELS.find((name) => name === given.toLowerCase())
  if (level === undefined) throw new LogLevelError(given)
  return { level, pretty: process.stdout.isTTY, stream: process.stdout }
}

export function createLogger({ level, pretty, stream }: LoggerOptions): Logger {
  const line = pretty ? prettyLine : jsonLine
  const toStream = new transports.Stream({ stream })
  const winston = createWinston({
    levels: Object.fromEntries(LOG_LEVELS.map((name, gravity) => [name, gravity])),
    level,
    format: format.printf(line),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston declares its own transports by interfaces only
    transports: toStream,
    exitOnError: false,
  })
  const enabled = new Set(LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1))
  return loggerWith({})

  function loggerWith(always: Facts): Logger {
    return {
      log(lineLevel, message, facts) {
        // winston formats lines of levels that are off, too.
        if (!enabled.has(lineLevel)) return
        winston.log({ level: lineLevel, message, facts: { ...always, ...facts } })
      },
      with: (facts) => loggerWith({ ...always, ...facts }),
    }
  }
}
