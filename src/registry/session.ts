import type { Repository } from '../oci/reference.ts'
import type { AskHarbor } from './harbor/ask-harbor.ts'
import type { RegistryIdentity } from './words/identity.ts'
import type { Links } from './words/links.ts'
import type { UploadRecords } from './words/upload-records.ts'
import type { Operation, OperationKind } from './words/operation.ts'
import type { RangeLimits } from './content/ranged-blob.ts'
import type { ReferrersApis } from './words/referrers-apis.ts'
import type { Send } from './transport/request.ts'
import { type Access, scopeOf } from './words/scopes.ts'

/** What is the same for all repositories of one registry. */
export interface RegistrySession {
  readonly identity: RegistryIdentity
  readonly links: Links
  readonly send: Send
  /** When large blobs come in parts. */
  readonly ranges: RangeLimits
  /** What its answers have taught; for as long as the client is open. */
  readonly learned: Learned
  /** Resolves when the registry takes the configured credentials, or did so seconds ago. */
  readonly prove: (signal: AbortSignal) => Promise<void>
  readonly askHarbor: AskHarbor
  /** Absent where nobody cancels what a process that dies leaves. */
  readonly uploads?: UploadRecords
}

export interface LearnedRight {
  readonly may: 'read' | 'be-denied' | 'nothing'
  /** Milliseconds since 1970. */
  readonly until: number
}

export interface Learned {
  /** Until when it counts as one that says of no blob that it has it when asked to mount it; milliseconds since 1970. */
  mountsNothingUntil: number
  /** Until when it counts as one that takes no PATCH of an upload; milliseconds since 1970. */
  takesNoPatchUntil: number
  /** Until when it counts as one that limits how many parts of blobs it gives; milliseconds since 1970. */
  takesNoPartsUntil: number
  /** Until when it counts as one that takes complete indexes only; milliseconds since 1970. */
  refusesSparseIndexesUntil: number
  readonly referrersApis: ReferrersApis
  /** By project, what shows that it may be read; by repository, what its refusals mean. */
  readonly rights: Map<string, LearnedRight>
  /** Until when it counts as one that refuses HEAD of a manifest; milliseconds since 1970. */
  takesNoHeadUntil: number
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
