import {
  projectExists,
  readImmutableTags,
  readProject,
  readStorage,
  type HarborProject,
  type Storage,
} from '../../registry/harbor/projects.ts'
import { formatBytes } from '../../text/format-bytes.ts'
import type { ProjectSide } from './project-side.ts'
import { missingProject, type Verdict } from './judge-access.ts'

/** What Harbor says of a project beyond who may do what there, as far as the account may know. */
export async function lookAtHarborProject(
  side: ProjectSide,
  signal: AbortSignal,
): Promise<Verdict> {
  const { name, at, registry } = side
  const { askHarbor: ask } = registry
  if ((await projectExists(ask, name, signal)) === false) return missingProject(side)
  const shown = await readProject(ask, name, signal)
  if (shown === undefined) return { ok: true, message: '', notes: [HIDDEN] }
  if (at.id !== 'local') return { ok: true, message: '', notes: notesOfUpstream(shown) }
  if (shown.isProxyCache) return { ok: false, message: PROXY_CACHE }
  const [storage, immutable] = await Promise.all([
    readStorage(ask, name, signal),
    readImmutableTags(ask, name, signal),
  ])
  if (storage !== undefined && isFull(storage)) return { ok: false, message: full(storage) }
  return {
    ok: true,
    message: '',
    notes: [
      ...notesOfPolicies(shown, side),
      ...immutable.map(
        (pattern) =>
          `Tags like ${pattern} are never written again here: one that moves upstream stays as it is.`,
      ),
      ...(storage?.limitBytes === undefined ? [] : [left(storage, storage.limitBytes)]),
    ],
  }
}

const HIDDEN =
  "This account may not look at the project's settings: its rules, policies and quota are not checked."
const PROXY_CACHE =
  'this project is a proxy cache, which takes no pushes. Create one of that name that is none (without a registry): what its type is cannot be changed later.'

function notesOfUpstream({ isProxyCache, policies }: HarborProject): readonly string[] {
  return [
    ...(isProxyCache
      ? [
          'This project is itself a proxy cache: what it has not yet comes from where it gets it, and what was attached to an image does not.',
        ]
      : []),
    ...policies.map((policy) => `There, ${policy}; they are copied once they are let through.`),
  ]
}

function notesOfPolicies({ policies }: HarborProject, { project }: ProjectSide): readonly string[] {
  const rule =
    project.policy === 'none'
      ? 'but with policy: none clients get them ahead of that: set policy: local'
      : 'so clients wait for its word on each image: set policy: local to have that from the first one on'
  return policies.map((policy) =>
    project.policy === 'local' ? `Here, ${policy}.` : `Here, ${policy}, ${rule}.`,
  )
}

function isFull({ usedBytes, limitBytes }: Storage): boolean {
  return limitBytes !== undefined && usedBytes >= limitBytes
}

function full({ usedBytes, limitBytes = 0 }: Storage): string {
  return `there is no room left: ${formatBytes(usedBytes)} of ${formatBytes(limitBytes)} are used. Raise the project's quota, or delete something and run the garbage collection.`
}

function left({ usedBytes }: Storage, limitBytes: number): string {
  return `${formatBytes(limitBytes - usedBytes)} of ${formatBytes(limitBytes)} are left of its quota.`
}
