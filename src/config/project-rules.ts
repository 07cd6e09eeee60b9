import { didYouMean } from './did-you-mean.ts'
import { listOf, type Mapping, mappingOf, textAt } from './outline.ts'
import { type Finding } from './finding.ts'

/** What projects say of upstreams and of each other. */
export function projectRules(value: unknown, upstreams: readonly string[]): readonly Finding[] {
  const projects = listOf(value).map(mappingOf)
  return [
    ...projects.flatMap((project, index) => upstreamRules(project, index, upstreams)),
    ...projects.flatMap((project, index) => nameRules(project, index, projects.slice(0, index))),
    ...mirroredTwice(projects),
  ]
}

function upstreamRules(
  project: Mapping,
  index: number,
  upstreams: readonly string[],
): readonly Finding[] {
  const ids = upstreamsOf(project)
  const path = ['projects', index, 'upstream']
  return ids.flatMap((id, place) => {
    const at = [...path, place]
    if (ids.indexOf(id) < place)
      return [{ path: at, message: `the upstream ${id} stands here twice` }]
    return upstreams.includes(id) ? [] : [{ path: at, message: unknownUpstream(id, upstreams) }]
  })
}

/** `"hg" is no upstream (did you mean hq?); known: hq, dr` */
export function unknownUpstream(id: string, upstreams: readonly string[]): string {
  const near = didYouMean(id, upstreams)
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`
  const known = upstreams.length === 0 ? 'none is configured' : `known: ${upstreams.join(', ')}`
  return `${JSON.stringify(id)} is no upstream${hint}; ${known}`
}

function nameRules(
  project: Mapping,
  index: number,
  before: readonly Mapping[],
): readonly Finding[] {
  const name = textAt(project, 'name')
  const path = ['projects', index]
  if (name === '*' && project['upstreamProject'] !== undefined) {
    const message = 'the project "*" keeps the names of the upstream: remove upstreamProject'
    return [{ path: [...path, 'upstreamProject'], message }]
  }
  const twice = name !== undefined && before.some((other) => textAt(other, 'name') === name)
  return twice
    ? [{ path: [...path, 'name'], message: `the project ${name} stands here twice` }]
    : []
}

// A push upstream names the upstream project alone, so it must lead to one local project.
function mirroredTwice(projects: readonly Mapping[]): readonly Finding[] {
  const owners = new Map<string, string>()
  return projects.flatMap((project, index) => {
    const name = textAt(project, 'name')
    const mirrored = textAt(project, 'upstreamProject') ?? name
    if (name === undefined || mirrored === undefined) return []
    return upstreamsOf(project).flatMap((id) => {
      const owner = owners.get(`${id}/${mirrored}`) ?? name
      owners.set(`${id}/${mirrored}`, owner)
      if (owner === name) return []
      const key = project['upstreamProject'] === undefined ? 'name' : 'upstreamProject'
      const message = `the project ${owner} already mirrors ${mirrored} of ${id}: a push there could not be told apart`
      return [{ path: ['projects', index, key], message }]
    })
  })
}

function upstreamsOf(project: Mapping): readonly string[] {
  const value = project['upstream']
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((id): id is string => typeof id === 'string' && id !== '')
}
