import type { Config, ProjectConfig } from './config.ts'

/**
 * One sentence for each key that the file sets and this version accepts without acting on it, so
 * that nobody relies on what does not happen.
 */
export function notYetActedOn(config: Config): readonly string[] {
  const isSet = (path: string) => config.keysInFile?.includes(path) === true
  return config.projects.flatMap((project, index) =>
    sentences(`projects[${index}]`, project, { table: PROJECT, isSet }),
  )
}

interface NotYet<Section> {
  readonly key: string
  /** Whether what was asked for is what happens anyway. */
  readonly granted?: (section: Section) => boolean
  /** What happens instead. */
  readonly instead: string
}

const PROJECT: readonly NotYet<ProjectConfig>[] = [
  {
    key: 'onUpstreamDelete',
    granted: ({ onUpstreamDelete }) => onUpstreamDelete === 'keep',
    instead: 'what is deleted upstream is kept here',
  },
]

function sentences<Section>(
  place: string,
  section: Section,
  { table, isSet }: Lookup<Section>,
): readonly string[] {
  return table
    .filter(({ key, granted }) => isSet(`${place}.${key}`) && granted?.(section) !== true)
    .map(({ key, instead }) => `${place}.${key} has no effect in this version: ${instead}`)
}

interface Lookup<Section> {
  readonly table: readonly NotYet<Section>[]
  readonly isSet: (path: string) => boolean
}
