import type { ProjectConfig } from '../../config/config.ts'

/** What is the same for all that one run of the command does. */
export interface SetupRun {
  /** Looks, and changes nothing. */
  readonly dryRun: boolean
  readonly isPublicUpstream: (project: ProjectConfig) => boolean
  /** How Harbor reaches pullsync's webhook: `http://pullsync.example:8080`. */
  readonly url: string
  readonly payloadFormat: 'CloudEvents' | 'Default'
  readonly signal: AbortSignal
}
