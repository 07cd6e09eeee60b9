import type { UpstreamStatus } from '../queue/records/upstream-status.ts'
import { formatDuration } from '../text/duration.ts'

/** How an upstream is, for people: a word, why, and what to do about it. */
export interface UpstreamWords {
  readonly state: 'running' | 'idle' | 'paused' | 'held' | 'down' | 'failing' | 'no worker'
  readonly why: string
}

/** The gravest thing that can be said of it. */
export function upstreamWords(now: UpstreamStatus): UpstreamWords {
  return stopped(now) ?? heldOff(now) ?? failing(now) ?? working(now)
}

function stopped({ upstream, paused, workers, counts }: UpstreamStatus): UpstreamWords | undefined {
  if (paused) {
    const why = `Somebody paused it; "pullsync resume ${upstream}" starts it again.`
    return { state: 'paused', why }
  }
  if (workers > 0) return undefined
  const work = counts.waiting + counts.active + counts.delayed
  const waits = work === 0 ? 'No job waits now.' : `${work} jobs wait.`
  return { state: 'no worker', why: `${waits} Start "pullsync worker", or look why it stopped.` }
}

function heldOff({ hold, heldForMs }: UpstreamStatus): UpstreamWords | undefined {
  if (hold === undefined && heldForMs <= 0) return undefined
  const reason = hold === undefined ? 'It asked for fewer requests.' : sentence(hold.reason)
  const forMs = Math.max(heldForMs, hold?.forMs ?? 0)
  return { state: hold?.kind === 'down' ? 'down' : 'held', why: `${reason} ${nextTry(forMs)}` }
}

function failing({ recent, health }: UpstreamStatus): UpstreamWords | undefined {
  if (recent.failed <= recent.completed || health.lastFailure === undefined) return undefined
  return { state: 'failing', why: sentence(health.lastFailure) }
}

function working({ counts }: UpstreamStatus): UpstreamWords {
  const work = counts.waiting + counts.active + counts.delayed
  return { state: work === 0 ? 'idle' : 'running', why: '' }
}

function nextTry(forMs: number): string {
  return forMs > 0 ? `Next try in ${formatDuration(forMs)}.` : 'It is being tried now.'
}

function sentence(text: string): string {
  const line = text.split('\n', 1)[0] ?? ''
  return /[.!?]$/.test(line) ? line : `${line}.`
}
