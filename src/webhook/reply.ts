import type { LimitReason } from '../pool/miss-limits.ts'

/** What a sender is answered; the body is sent as JSON. */
export interface Reply {
  readonly status: number
  readonly body: ReplyBody
  readonly headers?: Readonly<Record<string, string>>
}

export type ReplyBody = Counts | Malformed | Refusal | Readonly<Record<string, string>>

/** How many of a delivery's events became a job, are of no interest, or had a job already. */
export interface Counts {
  readonly accepted: number
  readonly ignored: number
  readonly duplicates: number
  /** Which of the ignored are misses that were held back as noise; absent when none was. */
  readonly limited?: Readonly<Partial<Record<LimitReason, number>>>
}

/** Taken all the same, because the sender would repeat a refused delivery for ever. */
export interface Malformed {
  readonly malformed: true
  readonly reason: string
}

export interface Refusal {
  readonly error: string
}

export function refusal(status: number, error: string, headers?: Reply['headers']): Reply {
  return { status, body: { error }, ...(headers !== undefined && { headers }) }
}

// Redis is back, or another process takes over, within seconds; a registry waits for its own time anyway.
const RETRY_AFTER_SECONDS = '1'

/** The delivery is not to blame: the sender is to keep it. */
export function comeAgain(error: string, headers: Reply['headers'] = {}): Reply {
  return refusal(503, `${error}; send it again`, { 'Retry-After': RETRY_AFTER_SECONDS, ...headers })
}
