import type { Checks } from '../../../src/webhook/receive.ts'

/** Every tag is due for a look upstream. */
export const NEVER_CHECKED: Checks = {
  due: () => Promise.resolve(true),
  noteDeletion: () => Promise.resolve(),
  digestDeleted: () => Promise.resolve(undefined),
  forget: () => Promise.resolve(),
}
