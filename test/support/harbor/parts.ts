import type { Behind } from './behind.ts'
import type { HarborState } from './state.ts'
import type { Webhooks } from './webhooks.ts'

/** The parts of one Harbor. */
export interface Harbor {
  readonly state: HarborState
  readonly behind: Behind
  readonly webhooks: Webhooks
}
