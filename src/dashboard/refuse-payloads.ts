import type { createBullBoard } from '@bull-board/api'

// bull-board exports these types only from a file that does not exist at run time.
type BoardOptions = NonNullable<Parameters<typeof createBullBoard>[0]['options']>
type BeforeHook = NonNullable<NonNullable<BoardOptions['handlerHooks']>['before']>

/**
 * Jobs come from events and commands, which policy has decided on; the dashboard makes none and
 * changes none's payload.
 */
export const refusePayloads: BeforeHook = ({ route }) => {
  if (!/\/(add|update-data)$/.test(route)) return { allow: true }
  const message = 'pullsync decides what a job copies; use "pullsync sync" to ask for an image'
  return { allow: false, status: 403, message }
}
