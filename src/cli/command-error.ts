import { EXIT } from '../lifecycle/exit-codes.ts'

/** A command that ends otherwise than well, in words for the person who typed it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, { cause, exitCode }: CommandErrorOptions = {}) {
    super(message, { cause })
    this.exitCode = exitCode ?? EXIT.failed
  }
}

export interface CommandErrorOptions {
  readonly cause?: unknown
  /** `EXIT.failed` unless told. */
  readonly exitCode?: number
}

/** The command was typed in a way that means nothing. */
export function usageError(message: string): CommandError {
  return new CommandError(message, { exitCode: EXIT.usage })
}
