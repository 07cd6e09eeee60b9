import type { Manifest } from '../../oci/manifest.ts'
import type { IgnoreReason } from '../../policy/decision.ts'
import type { Hold } from '../../pool/breaker.ts'
import type { LimitReason } from '../../pool/miss-limits.ts'
import type { JobEnding } from '../../queue/job-endings.ts'
import type { ManifestHead } from '../../replication/ports.ts'

/** What a client whose pull missed is answered. */
export type MissAnswer =
  /** It is in the local registry now. */
  | { readonly kind: 'here' }
  /** It is on its way, and its bytes are here already. */
  | { readonly kind: 'on-the-way'; readonly manifest: Manifest }
  /** Upstream has it; nothing has been copied. */
  | { readonly kind: 'upstream'; readonly head: ManifestHead }
  /** The registry's own answer stands; why, where pullsync tried for a better one. */
  | { readonly kind: 'missing'; readonly why?: Why }

/** Why there is nothing for a client whose pull missed. */
export interface Why {
  readonly reason: MissReason
  readonly jobId?: string
  /** Of what has to do with an upstream's state: when asking again may help. */
  readonly retryAfterMs?: number
}

/** A small closed set; clients are told it. */
export type MissReason =
  | IgnoreReason
  | LimitReason
  | 'other-upstream'
  | 'not-found'
  | 'refused'
  | 'deleted'
  | 'upstream-held'
  | 'upstream-down'
  | 'upstream-error'
  | 'failed'
  | 'put-off'
  | 'not-yet'
  | 'in-background'
  | 'queue-unavailable'

/** Failures are remembered about so long before anybody asks upstream again. */
const AGAIN_AFTER_MS = 15_000

/** What a job's ending says to whoever waited for it. */
export function whyEnded({ kind, forMs = AGAIN_AFTER_MS }: JobEnding, jobId: string): Why {
  switch (kind) {
    case 'not-found':
    case 'refused':
    case 'deleted':
      return { reason: kind, jobId }
    case 'held':
    case 'down':
      return { ...whyHeld({ kind, forMs }), jobId }
    case 'put-off':
      return { reason: kind, jobId, retryAfterMs: forMs }
    default:
      return { reason: 'failed', jobId, retryAfterMs: forMs }
  }
}

export function whyHeld({ kind, forMs: retryAfterMs }: Pick<Hold, 'kind' | 'forMs'>): Why {
  return { reason: kind === 'down' ? 'upstream-down' : 'upstream-held', retryAfterMs }
}

export const UPSTREAM_ERROR: Why = { reason: 'upstream-error', retryAfterMs: 5_000 }
export const QUEUE_UNAVAILABLE: Why = { reason: 'queue-unavailable', retryAfterMs: 5_000 }

/** Nobody could say whether the image exists: a 404 would say that it does not. */
export function isUnavailable({ retryAfterMs }: Why): boolean {
  return retryAfterMs !== undefined
}

const IN_WORDS: Readonly<Partial<Record<MissReason, string>>> = {
  'unknown-project': 'images of this project are not brought here',
  'auto-sync-off': 'images of this project are not brought here by pulls',
  'repository-filtered': 'this repository is not among those that are brought here',
  'tag-filtered': 'this tag is not among those that are brought here',
  'name-too-long': 'the name that this image has upstream is longer than registries take',
  'other-upstream': 'this project does not come from the registry that was asked for',
  'source-limited': 'too many pulls lately were of what upstream does not have',
  'repository-limited': 'too many pulls of this repository lately were of what it does not have',
  'not-found': 'upstream does not have it either',
  refused: 'the copy was refused',
  deleted: 'upstream has deleted it',
  'upstream-held': 'upstream wants to be asked later',
  'upstream-down': 'upstream does not answer; it is tried again',
  'upstream-error': 'upstream could not be asked',
  failed: 'it could not be copied',
  'put-off': 'the copy was put off',
  'not-yet': 'the copy takes longer than a client is made to wait; it goes on',
  'in-background': 'it is being copied; a later pull finds it',
  'queue-unavailable': 'it cannot be copied at the moment',
}

/** For people who see what their client prints. */
export function inWords({ reason }: Why): string {
  return IN_WORDS[reason] ?? reason
}
