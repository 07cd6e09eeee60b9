import picomatch from 'picomatch'
import { isTag, type Reference, type Repository } from '../oci/reference.ts'
import { withoutProject } from './matching.ts'
import type { NameFilter, Project } from './project.ts'

/** What of a project's filters keeps an image out, as it stands in the configuration. */
export interface FilterRefusal {
  /** Such as `tags.exclude`. */
  readonly key: string
  /** The pattern that matches; absent where none of `include` does. */
  readonly pattern?: string
}

/** For people: which line is to be changed. Undefined where the filters let it through. */
export function filterRefusal(
  project: Project,
  { repository, reference }: { readonly repository: Repository; readonly reference: Reference },
): FilterRefusal | undefined {
  const names = [withoutProject(repository), repository]
  const ofRepository = refusal('repositories', project.repositories, names)
  if (ofRepository !== undefined || !isTag(reference)) return ofRepository
  return refusal('tags', project.tags, [reference])
}

function refusal(
  key: string,
  { include, exclude }: NameFilter,
  names: readonly string[],
): FilterRefusal | undefined {
  const matches = (pattern: string) => names.some((name) => picomatch(pattern)(name))
  const excluding = exclude.find(matches)
  if (excluding !== undefined) return { key: `${key}.exclude`, pattern: excluding }
  return include.some(matches) ? undefined : { key: `${key}.include` }
}
