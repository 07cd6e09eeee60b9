import picomatch from 'picomatch'
import type { NameFilter } from './project.ts'

/** Whether the filter lets through somebody known by these names; one match of either kind counts. */
export type NameMatcher = (names: readonly string[]) => boolean

/** Globs as in picomatch: `*` stops at a slash, `**` does not; nothing is let through by an empty `include`. */
export function compileFilter({ include, exclude }: NameFilter): NameMatcher {
  const included = picomatch([...include])
  const excluded = picomatch([...exclude])
  return (names) => names.some((name) => included(name)) && !names.some((name) => excluded(name))
}
