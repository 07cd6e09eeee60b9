import type { ProjectConfig } from '../config/config.ts'
import type { LimitReason } from '../pool/miss-limits.ts'
import type { UpstreamStatus } from '../queue/records/upstream-status.ts'
import { formatDuration } from '../text/duration.ts'
import type { Verdict } from './verdict.ts'
import { upstreamWords } from './upstream-words.ts'

interface Standing {
  readonly project: ProjectConfig | undefined
  readonly verdict: Verdict
  /** The first of the project's. */
  readonly upstream: UpstreamStatus | undefined
  readonly limited: LimitReason | undefined
  /** Clients get nothing before the local registry gives it, as `policy` or what was learned says. */
  readonly isForLocalToSay: boolean
}

/** What a client of the gateway gets that pulls what is not here, in one sentence. */
export function clientWords(standing: Standing): string {
  const { project, verdict, upstream, limited } = standing
  if (project === undefined || !verdict.brought) return "the local registry's own 404, at once"
  if (limited !== undefined) return `404 at once, as ${limited}: the image is asked for again later`
  return (upstream && heldWords(project, upstream)) ?? waitingWords(project, standing)
}

function heldWords(
  { onUnavailable }: ProjectConfig,
  { upstream, hold }: UpstreamStatus,
): string | undefined {
  if (hold === undefined || hold.forMs === 0) return undefined
  return `${onUnavailable} at once, and the image is queued: ${upstream} is ${hold.kind}`
}

function waitingWords(
  { onMiss, holdForMs }: ProjectConfig,
  { upstream, isForLocalToSay }: Standing,
): string {
  if (onMiss === 'async') return '404 at once, and a later pull the image'
  const holdFor = formatDuration(holdForMs)
  const state = upstream && upstreamWords(upstream).state
  if (state === 'paused' || state === 'no worker') {
    return `404 after ${holdFor}: nothing runs the job, ${state}`
  }
  if (isForLocalToSay) {
    return `the image, once the local registry itself gives it; 404 if that takes longer than ${holdFor}`
  }
  return onMiss === 'hold'
    ? `the image, once it is here whole; 404 if that takes longer than ${holdFor}`
    : `the image while it is being copied; 404 if upstream does not answer within ${holdFor}`
}
