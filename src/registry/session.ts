import type { Repository } from '../oci/reference.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'
import type { RegistryIdentity } from './identity.ts'
import type { Links } from './links.ts'
import type { Operation, OperationKind } from './operation.ts'
import type { Send } from './request.ts'
import { type Access, scopeOf } from './scopes.ts'
import type { Turns } from './turns.ts'

/** What is the same for all repositories of one registry. */
export interface RegistrySession {
  readonly identity: RegistryIdentity
  readonly links: Links
  readonly send: Send
  /** What its answers have taught; for as long as the client is open. */
  readonly learned: Learned
  readonly chunks: ChunkSharing
}

/** What all uploads in chunks to one registry share. */
export interface ChunkSharing {
  readonly buffers: ChunkBuffers
  /** To send a chunk. */
  readonly turns: Turns
}

export interface Learned {
  /** Until when it counts as one that takes no chunks; milliseconds since 1970. */
  takesNoChunksUntil: number
  /** Until when it counts as one that takes complete indexes only; milliseconds since 1970. */
  refusesSparseIndexesUntil: number
  /** Until when it counts as one without the referrers API; milliseconds since 1970. */
  noReferrersApiUntil: number
  hasReferrersApi: boolean
}

/** One repository of one registry, with what it takes to send it a request. */
export interface RepositorySession extends RegistrySession {
  readonly repository: Repository
  /** What reading asks a token for. */
  readonly readScopes: readonly string[]
  readonly writeScopes: readonly string[]
}

export function openSession(registry: RegistrySession, repository: Repository): RepositorySession {
  // What the local registry is read for is followed by writes: one token serves for both.
  const reading: Access = registry.identity.side === 'local' ? 'pull,push' : 'pull'
  return {
    ...registry,
    repository,
    readScopes: [scopeOf(repository, reading)],
    writeScopes: [scopeOf(repository, 'pull,push')],
  }
}

/** @param what as in "pull manifest team/app:1.0 from", to be followed by the registry's name */
export function operationOf(
  { identity }: RepositorySession,
  kind: OperationKind,
  what: string,
): Operation {
  return { registry: identity, kind, intent: `${what} ${identity.name}` }
}
