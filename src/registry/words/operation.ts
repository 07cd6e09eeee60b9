import type { RegistryIdentity } from './identity.ts'

/** What a request is a part of: decides what an answer means and what an error says. */
export interface Operation {
  readonly registry: RegistryIdentity
  readonly kind: OperationKind
  /** As it stands before "failed": `pull manifest team/app:1.0 from upstream "hq"`. */
  readonly intent: string
}

/**
 * `commit` is the request that carries a blob; `storage` and `moved` are what a request becomes when a
 * redirect led it to another host, or to another port or protocol of the same.
 */
export type OperationKind =
  'check' | 'token' | 'manifest' | 'blob' | 'upload' | 'commit' | 'mount' | 'storage' | 'moved'
