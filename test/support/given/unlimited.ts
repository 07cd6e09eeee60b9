import type { LookLimits } from '../../../src/gateway/manifests/upstream-look.ts'

/** Lets everybody ask for everything. */
export const UNLIMITED: LookLimits = {
  admit: () => Promise.resolve({ limited: undefined, unpaid: false }),
  take: () => undefined,
  giveBack: () => undefined,
}
