import { setTimeout as pause } from 'node:timers/promises'
import { abortReason } from '../../waiting/aborting.ts'
import { RegistryError } from '../errors/registry-error.ts'
import { CLOSED, STALLED } from '../words/coded-error.ts'

/** The inner of two layers of retries: one request, within seconds. The job is the outer one. */
export interface RetryOptions {
  readonly tries: number
  /** Before the second try; four times as long before each further one, with jitter. */
  readonly pauseMs: number
  /** Asked after each failed try: whether it is worth another, with all that is known of the registry. */
  readonly mayRepeat?: () => boolean
}

export const RETRIES: RetryOptions = { tries: 3, pauseMs: 300 }

/** Which failures another try of the same request may mend without doing anything twice that matters. */
export type Repeatable = (error: RegistryError) => boolean

export async function withRetries<T>(
  options: RetryOptions,
  repeatable: Repeatable,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof RegistryError) || !repeatable(error)) throw error
      // Left to the job: then the whole pool keeps away, and not this request alone.
      if (tried >= options.tries || (error.retryAfterMs ?? 0) > 0) throw error
      if (options.mayRepeat?.() === false) throw error
      await pause(pauseBefore(tried, options), undefined, { signal }).catch(() => {
        throw abortReason(signal)
      })
    }
  }
}

// 499: nginx, when it believes that we had gone; 522: Cloudflare, when its origin did not answer.
const PASSING = new Set([408, 425, 429, 499, 500, 502, 503, 504, 522])
const NOT_DONE = new Set([408, 425, 429, 503])

/** For what can be sent twice: reads, and writes of content under its own digest. */
export const idempotent: Repeatable = (error) =>
  error.status === undefined
    ? unanswered(error)
    : error.disposition === 'transient' && PASSING.has(error.status)

/** For the start of an upload: at worst an empty one is left behind, so not after each 5xx. */
export const harmless: Repeatable = (error) =>
  error.status === undefined ? unanswered(error) : NOT_DONE.has(error.status)

/** For bodies that are streamed: they are gone once they are sent. */
export const never: Repeatable = () => false

// A stall has already taken a minute: the job decides whether to wait for another.
const NOT_AGAIN = new Set([STALLED, CLOSED])

function unanswered({ disposition, networkCode }: RegistryError): boolean {
  return disposition === 'transient' && networkCode !== undefined && !NOT_AGAIN.has(networkCode)
}

function pauseBefore(tried: number, { pauseMs }: RetryOptions): number {
  return pauseMs * 4 ** (tried - 1) * (0.5 + Math.random())
}
