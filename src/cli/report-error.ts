import { CommanderError } from 'commander'
import { ConfigError } from '../config/config-error.ts'
import { EXIT } from '../lifecycle/exit-codes.ts'
import { CommandError } from './command-error.ts'
import { type Streams, writeLine } from './screen/io.ts'
import { ListenError } from '../http/listen-error.ts'
import { redisFailure } from '../pool/redis-errors.ts'
import { LogLevelError } from '../telemetry/log-level.ts'
import { plainText } from '../text/plain-text.ts'
import { messageOf } from '../thrown.ts'

/** Says what went wrong, in one message, and gives the exit code for it. */
export function reportError(error: unknown, { stderr }: Streams, env: NodeJS.ProcessEnv): number {
  // commander has written its message, or the help that was asked for, itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage
  if (error instanceof ConfigError) {
    writeLine(stderr, plainText(error.message))
    return EXIT.config
  }
  const message = redisFailure(error) ?? messageOf(error)
  writeLine(stderr, `error: ${plainText(message)}`)
  if ((env['PULLSYNC_DEBUG'] ?? '') !== '') writeStack(stderr, error)
  return exitCodeOf(error)
}

/** 78 for what another start does not mend, so that a service manager makes none. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode
  const isMistake =
    error instanceof LogLevelError || (error instanceof ListenError && error.isForGood)
  return isMistake ? EXIT.config : EXIT.failed
}

function writeStack(stderr: Streams['stderr'], error: unknown): void {
  for (let next = error; next instanceof Error; next = next.cause) {
    writeLine(stderr, plainText(next.stack ?? next.message))
  }
}
