import { setTimeout as delay } from 'node:timers/promises'
import type { ProjectConfig } from '../config/config.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { decide } from '../policy/decide.ts'
import { projectOfLocal } from '../policy/matching.ts'
import type { ManifestHead } from '../replication/ports.ts'
import { isLimited } from '../queue/enqueued.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { Hit, HitsDeps } from './hits.ts'
import { bring, type MissAnswer, type MissesDeps } from './misses.ts'

/** Longer than that no client waits for an answer that is here. */
const CHECK_WITHIN_MS = 1_000

export interface CheckedHit {
  readonly hit: Hit
  readonly method: 'GET' | 'HEAD'
  /** What the local registry has, as it says. */
  readonly digest: string | undefined
}

/**
 * With `onHit: check`, what a client gets instead of what is here, because the tag has moved upstream
 * and that was not looked at lately. Undefined where what is here is right, or has to do: upstream did
 * not answer in time, or the new image did not. Rejects only when `signal` is aborted.
 */
export async function newerAnswer(
  checked: CheckedHit,
  deps: MissesDeps & HitsDeps,
  signal: AbortSignal,
): Promise<MissAnswer | undefined> {
  const project = projectOf(checked.hit, deps)
  const local = parseDigest(checked.digest ?? '')
  if (project?.onHit !== 'check' || !local.ok) return undefined
  const moved = await movedTag(checked.hit, local.value, deps, signal)
  if (moved === undefined) return undefined
  const { request, head } = moved
  const waits = checked.method === 'GET'
  const answer = await bring({ request, project, shownAs: head.digest, waits }, deps, signal)
  if (project.onMiss !== 'async' && !waits) return { kind: 'upstream', head }
  return answer.kind === 'here' || answer.kind === 'on-the-way' ? answer : undefined
}

/** Somebody waits for it, as for a miss; what is pushed here meanwhile stays. */
async function movedTag(
  hit: Hit,
  local: Digest,
  deps: MissesDeps & HitsDeps,
  signal: AbortSignal,
): Promise<{ request: ReplicationRequest; head: ManifestHead } | undefined> {
  const request = await dueRequest(hit, deps)
  const head = request && (await lookInTime(request, deps, signal))
  if (request === undefined || head === undefined || head.digest === local) return undefined
  const wanted = { trigger: 'miss', replaces: local, onlyIfPresent: false } as const
  return { request: { ...request, ...wanted }, head }
}

function projectOf({ repository }: Hit, { config }: MissesDeps): ProjectConfig | undefined {
  const { projects } = config()
  const name = projectOfLocal(repository, projects)?.name
  return projects.find((each) => each.name === name)
}

async function dueRequest(
  hit: Hit,
  { config, checks }: HitsDeps,
): Promise<ReplicationRequest | undefined> {
  const { projects, account } = config()
  const decision = decide(hit, { registry: 'local', account }, projects)
  if (decision.kind === 'ignore') return undefined
  const { request, unlessCheckedWithinMs = 0 } = decision
  // Without Redis nothing could be brought either.
  const due = await checks.due(request, unlessCheckedWithinMs).catch(() => false)
  return due ? request : undefined
}

async function lookInTime(
  request: ReplicationRequest,
  { look, checks }: MissesDeps & HitsDeps,
  signal: AbortSignal,
): Promise<ManifestHead | undefined> {
  const enough = new AbortController()
  const tooLate = delay(CHECK_WITHIN_MS, undefined, { signal: enough.signal })
  try {
    const looked = await Promise.race([look(request, signal), tooLate])
    if (looked !== undefined && !isLimited(looked)) return looked
    // The answer is what is here; the look comes after it.
    await checks.forget(request)
    return undefined
  } finally {
    enough.abort()
    tooLate.catch(() => undefined)
  }
}
