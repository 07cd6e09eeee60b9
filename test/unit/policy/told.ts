import type { RegistryEvent } from '../../../src/events/registry-event.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import { parseReference, type Repository, type Tag } from '../../../src/oci/reference.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import type { Project } from '../../../src/policy/project.ts'

export const DIGEST = `sha256:${'ab'.repeat(32)}` as Digest
export const REPO = 'repository-filtered'
export const LOCAL = { registry: 'local', account: 'pullsync' }
export const HQ = { registry: 'hq', account: 'robot$mirror' }

export interface Change {
  readonly repository?: string
  readonly reference?: string
  readonly tag?: Tag | undefined
  readonly subject?: Digest | 'none'
  readonly actor?: string
  readonly userAgent?: string
}

export function miss({
  repository = 'team/app',
  reference = '1.0',
  ...told
}: Change = {}): RegistryEvent {
  const asked = parseReference(reference)
  if (!asked.ok) throw new Error(asked.reason)
  return {
    action: 'miss',
    id: 'event-1',
    repository: repository as Repository,
    reference: asked.value,
    ...toldBy(told),
  }
}

export function push({ repository = 'team/app', ...change }: Change = {}): RegistryEvent {
  const tag = 'tag' in change ? change.tag : ('1.0' as Tag)
  return {
    action: 'push',
    id: 'event-1',
    repository: repository as Repository,
    digest: DIGEST,
    ...(tag !== undefined && { tag }),
    ...(change.subject !== undefined && { subject: change.subject }),
    ...toldBy(change),
  }
}

function toldBy({ actor, userAgent }: Change) {
  return { ...(actor !== undefined && { actor }), ...(userAgent !== undefined && { userAgent }) }
}

export function at(repository: string): Change {
  return { repository }
}

export function filter(include: readonly string[], exclude: readonly string[] = []) {
  return { include: include.length === 0 ? ['**'] : include, exclude }
}

export function project(changes: Partial<Project> = {}): Project {
  return {
    name: 'team',
    upstreams: ['hq'],
    autoSync: true,
    repositories: { include: ['**'], exclude: [] },
    tags: { include: ['*'], exclude: [] },
    platforms: 'all',
    referrers: true,
    revalidateAfterMs: 600_000,
    onUpstreamPush: 'refresh',
    onUpstreamDelete: 'keep',
    ...changes,
  }
}

export function requestOf(decision: Decision) {
  if (decision.kind === 'ignore') throw new Error(`ignored: ${decision.reason}`)
  return decision.request
}
