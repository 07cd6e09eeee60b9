import type { Format } from './format.ts'
import { distribution } from './formats/distribution.ts'
import { pullMiss } from './formats/pull-miss.ts'

/** Every format a source can have, by its name in the config. */
export const FORMATS = {
  distribution,
  'pull-miss': pullMiss,
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS
