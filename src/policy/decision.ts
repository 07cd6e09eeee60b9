import type { ReplicationRequest } from '../replication/request.ts'

/** What policy makes of an event. */
export type Decision =
  | {
      readonly kind: 'replicate'
      readonly request: ReplicationRequest
      /** Only if the last look at the tag upstream is older than that; 0: whatever its age. */
      readonly unlessCheckedWithinMs?: number
      /** As in `DeleteEvent`. */
      readonly cause?: string
    }
  | { readonly kind: 'ignore'; readonly reason: IgnoreReason }

/** A small closed set: used as a metrics label. */
export type IgnoreReason =
  | 'unknown-project'
  | 'auto-sync-off'
  | 'repository-filtered'
  | 'tag-filtered'
  | 'own-activity'
  | 'upstream-push-ignored'
  | 'local-push'
  | 'pull'
  | 'delete'
  | 'nothing-named'
  /** The other side's project name makes the repository's name longer than registries take. */
  | 'name-too-long'

export function ignore(reason: IgnoreReason): Decision {
  return { kind: 'ignore', reason }
}
