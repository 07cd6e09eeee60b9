import { CommanderError } from 'commander'
import { ConfigError } from '../config/config-error.ts'
import { EXIT } from '../lifecycle/exit-codes.ts'
import { CommandError } from './command-error.ts'
import { type Streams, writeLine } from './screen/io.ts'
import { redisFailure } from '../pool/redis-errors.ts'
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
  return error instanceof CommandError ? error.exitCode : EXIT.failed
}

function writeStack(stderr: Streams['stderr'], error: unknown): void {
  for (let next = error; next instanceof Error; next = next.cause) {
    writeLine(stderr, plainText(next.stack ?? next.message))
  }
}
