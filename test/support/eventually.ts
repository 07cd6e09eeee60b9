import { setTimeout as pause } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Milliseconds; 60,000 unless told. */
  readonly within?: number
  /** What is waited for, as it should stand after "waited for". */
  readonly describe?: string | (() => string)
}

/** For a machine that is ten times slower than it should be: only what never happens takes that long. */
export const ENOUGH_MS = 60_000

type NotYet = undefined | null | false

/** Thrown by a check when what is waited for can no longer come true: the wait ends with it at once. */
export class Hopeless extends Error {
  override readonly name = 'Hopeless'
}

/**
 * Asks again and again, at short growing intervals, until the check answers something truthy.
 * A check that throws is asked again; when time is up, its last error is the cause.
 */
export async function eventually<T>(
  check: () => T | NotYet | Promise<T | NotYet>,
  options: EventuallyOptions = {},
): Promise<T> {
  const within = options.within ?? ENOUGH_MS
  const deadline = performance.now() + within
  let problem: unknown
  for (let interval = 2; ; interval = Math.min(interval * 1.5, 100)) {
    try {
      const value = await bounded(check, deadline)
      if (value) return value
      problem = undefined
    } catch (error) {
      if (error instanceof Hopeless) throw error
      problem = error
    }
    const left = deadline - performance.now()
    if (left <= 0) throw tooLate(within, options.describe ?? check.toString(), problem)
    await pause(Math.min(interval, left))
  }
}

// A check may hang for good, for example on a stopped server.
async function bounded<T>(check: () => T | Promise<T>, deadline: number): Promise<T> {
  const stop = new AbortController()
  const expired = pause(Math.max(deadline - performance.now(), 1), undefined, {
    signal: stop.signal,
  }).then(() => {
    throw new Error('the check itself did not come to an end')
  })
  try {
    return await Promise.race([check(), expired])
  } finally {
    stop.abort()
    expired.catch(() => undefined)
  }
}

function tooLate(within: number, describe: string | (() => string), problem: unknown): Error {
  const what = typeof describe === 'string' ? describe : describe()
  const last = problem instanceof Error ? `; last: ${problem.message}` : ''
  return new Error(`waited ${within} ms in vain for ${what}${last}`, { cause: problem })
}
