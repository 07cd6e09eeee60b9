import { Router } from 'express'
import { messageOf } from '../thrown.ts'

/** Resolves when all is well, rejects with the reason when not; stops when the signal aborts. */
export type Check = (signal: AbortSignal) => Promise<void>

export interface HealthOptions {
  /** By the name that the answer calls them; asked at the same time. */
  readonly checks: Readonly<Record<string, Check>>
  readonly timeoutMs?: number
}

// Kubernetes gives a probe 1 s by default, and a late answer counts as none.
const TIMEOUT_MS = 800

/** `/livez`: the process runs. `/readyz`: it can do its work; 503 names what it cannot do it without. */
export function healthRoutes({ checks, timeoutMs = TIMEOUT_MS }: HealthOptions): Router {
  const router = Router()
  router.get('/livez', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ alive: true })
  })
  router.get('/readyz', async (_request, response) => {
    const failing = await failures(checks, timeoutMs)
    const ready = failing.length === 0
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json(ready ? { ready } : { ready, failing: Object.fromEntries(failing) })
  })
  return router
}

type Failure = readonly [name: string, reason: string]

async function failures(checks: HealthOptions['checks'], timeoutMs: number): Promise<Failure[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]): Promise<Failure[]> => {
      const reason = await failure(check, timeoutMs)
      return reason === undefined ? [] : [[name, reason]]
    }),
  )
  return results.flat()
}

async function failure(check: Check, timeoutMs: number): Promise<string | undefined> {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(new Error(`no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  try {
    // A check that does not heed the signal must not make the probe wait either.
    await Promise.race([check(late.signal), aborted(late.signal)])
    return undefined
  } catch (error) {
    return messageOf(error)
  } finally {
    clearTimeout(timer)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
  })
}
