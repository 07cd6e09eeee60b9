import { type BeforeHookResult, type HookContext } from '@bull-board/api/typings/app'

/**
 * Jobs come from events and commands, which policy has decided on; the dashboard makes none and
 * changes none's payload.
 */
export function refusePayloads({ route }: HookContext): BeforeHookResult {
  if (!/\/(add|update-data)$/.test(route)) return { allow: true }
  const message = 'pullsync decides what a job copies; use "pullsync sync" to ask for an image'
  return { allow: false, status: 403, message }
}
