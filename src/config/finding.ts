import { type ConfigPath } from './config-path.ts'

/** A problem that a rule found: where, and what. */
export interface Finding {
  readonly path: ConfigPath
  readonly message: string
}
