import { inTime } from '../../waiting/in-time.ts'
import { parseDigest } from '../../oci/digest.ts'
import { projectOfLocal } from '../../policy/matching.ts'
import { isLimited } from '../../queue/enqueued.ts'
import type { ManifestHead } from '../../replication/ports.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { dueLook, type CacheHit, type CacheHitDeps } from './cache-hit.ts'
import { type Accepts, bring, type Bringing } from './bring.ts'
import type { MissAnswer } from './miss-answer.ts'
import { allowedBy, type MissesDeps } from './misses.ts'

/** Longer than that no client waits for an answer that is here. */
const CHECK_WITHIN_MS = 1_000

export interface CheckedHit {
  readonly hit: CacheHit
  readonly method: 'GET' | 'HEAD'
  /** What the local registry has, as it says. */
  readonly digest: () => Promise<string | undefined>
  readonly accepts: Accepts
}

export interface Checked {
  /** Whether upstream has answered, so that no look is left for afterwards. */
  readonly looked: boolean
  /** What the client gets instead of what is here, because the tag has moved. */
  readonly newer?: MissAnswer | undefined
}

type Deps = MissesDeps & CacheHitDeps

/**
 * With `onHit: check`, asks upstream before the answer, if that was not done lately. There is nothing
 * newer where what is here is right, or has to do: upstream did not answer in time, or the new image
 * did not come in time. Rejects only when `signal` is aborted.
 */
export async function checkFirst(
  checked: CheckedHit,
  deps: Deps,
  signal: AbortSignal,
): Promise<Checked> {
  const { hit, digest, accepts } = checked
  const project = projectOfLocal(hit.repository, deps.config().projects)
  if (project?.onHit !== 'check') return { looked: false }
  const local = parseDigest((await digest()) ?? '')
  if (!local.ok) return { looked: false }
  // Without Redis nothing could be brought either.
  const look = await dueLook(hit, deps).catch(() => undefined)
  const head = look && (await lookInTime(look, deps, signal))
  if (look === undefined || head === undefined) return { looked: false }
  if (head.digest === local.value) return { looked: true }
  // Somebody waits for it, as for a miss; what is pushed here meanwhile stays.
  const wanted = { trigger: 'miss', replaces: local.value, onlyIfPresent: false } as const
  const request = { ...look, ...wanted }
  const allowed = await allowedBy(deps.rights, project, request)
  const waits = !allowed.givesAhead || needsMore(checked, head)
  const bringing = { request, project: allowed, shownAs: head.digest, accepts, waits }
  return { looked: true, newer: await newerAnswer(bringing, head, deps, signal) }
}

/** Than what a HEAD upstream has told. */
function needsMore({ method, accepts }: CheckedHit, { mediaType }: ManifestHead): boolean {
  return method === 'GET' || !accepts(mediaType)
}

async function newerAnswer(
  bringing: Bringing,
  head: ManifestHead,
  deps: Deps,
  signal: AbortSignal,
): Promise<MissAnswer | undefined> {
  const answer = await bring(bringing, deps, signal)
  if (bringing.project.onMiss !== 'async' && !bringing.waits) {
    await deps.names.remember(bringing.request, head)
    return { kind: 'upstream', head }
  }
  return answer.kind === 'here' || answer.kind === 'on-the-way' ? answer : undefined
}

async function lookInTime(
  request: ReplicationRequest,
  { look, checks }: Deps,
  signal: AbortSignal,
): Promise<ManifestHead | undefined> {
  const looked = await inTime(look(request, signal), CHECK_WITHIN_MS)
  if (looked !== undefined && !isLimited(looked) && !('why' in looked)) return looked
  // The answer is what is here; the look comes after it.
  await checks.forget(request)
  return undefined
}
