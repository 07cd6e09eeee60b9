import type { createBullBoard } from '@bull-board/api'

// bull-board exports these types only from a file that does not exist at run time.
type BoardOptions = NonNullable<Parameters<typeof createBullBoard>[0]['options']>
type BeforeHook = NonNullable<NonNullable<BoardOptions['handlerHooks']>['before']>

/**
 * All that the dashboard changes: jobs are retried, removed or run at once, queues paused and resumed. Jobs come from
 * events and commands, which policy has decided on, and limits from the configuration: what else bull-board offers
 * would change work in ways that neither shows.
 */
const ALLOWED: ReadonlySet<string> = new Set([
  ...['/api/queues/pause', '/api/queues/resume'],
  ...['pause', 'resume', 'promote', 'retry/:queueStatus'].map(
    (end) => `/api/queues/:queueName/${end}`,
  ),
  ...['retry', 'clean', 'promote'].map((end) => `/api/queues/:queueName/:jobId/${end}`),
])

/** Removes all jobs of a state: those that have ended, never work that waits. */
const CLEAN = '/api/queues/:queueName/clean/:queueStatus'
const ENDED: readonly unknown[] = ['completed', 'failed']

export const onlyAllowedActions: BeforeHook = ({ method, route, request }) => {
  const isEnded = ENDED.includes(request.params['queueStatus'])
  if (method === 'get' || ALLOWED.has(route) || (route === CLEAN && isEnded)) return { allow: true }
  const message =
    'the dashboard retries, removes, promotes, pauses and resumes; limits stand in the configuration, and "pullsync sync" asks for an image'
  return { allow: false, status: 403, message }
}
