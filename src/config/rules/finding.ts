import type { ConfigPath } from '../reading/config-path.ts'

/**
 * A problem that a rule found: where, and what. The message holds no value of the file, which may
 * have come from a variable; one that starts with "expected" gets what the file says added.
 */
export interface Finding {
  readonly path: ConfigPath
  readonly message: string
}
