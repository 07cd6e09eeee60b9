import type { IgnoreReason } from '../policy/decision.ts'
import type { FilterRefusal } from '../policy/filter-refusal.ts'

/** Whether a pull brings it. */
export type Verdict =
  | { readonly brought: true }
  | {
      readonly brought: false
      readonly reason: IgnoreReason
      readonly words: string
      readonly filter?: FilterRefusal
    }
