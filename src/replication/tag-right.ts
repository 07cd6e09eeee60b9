import type { Tag } from '../oci/reference.ts'

/** Awaited just before a tag is written: rejects when somebody else may write it now. */
export type ConfirmRight = () => Promise<void>

/** Runs it with the right to write another tag than the request's; undefined where somebody else has that. */
export type WithRightTo = <T>(
  tag: Tag,
  run: (confirm: ConfirmRight) => Promise<T>,
) => Promise<T | undefined>
