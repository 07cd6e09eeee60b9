/** From the gravest to the most talkative; each one includes those before it. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The environment asks for a level that there is not. */
export class LogLevelError extends Error {
  override readonly name = 'LogLevelError'

  constructor(given: string) {
    super(`LOG_LEVEL is ${JSON.stringify(given)}, expected one of ${LOG_LEVELS.join(', ')}`)
  }
}
