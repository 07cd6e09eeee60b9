/** How a command ends, as the shell sees it. */
export const EXIT = {
  done: 0,
  /** The thing asked for failed. */
  failed: 1,
  /** Wrong usage of the command line. */
  usage: 2,
  /** The configuration is not valid: EX_CONFIG of sysexits.h. */
  config: 78,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
