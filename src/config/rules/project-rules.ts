import { listOf, type Mapping, mappingOf, textAt } from './outline.ts'
import type { Finding } from './finding.ts'
import { oneOfUpstreams } from './one-of-upstreams.ts'

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
  return ids.flatMap((id, place) => {
    const path = ['projects', index, 'upstream', place]
    if (ids.indexOf(id) < place) return [{ path, message: 'this upstream stands here twice' }]
    // Without any upstream that alone is the problem.
    const known = upstreams.length === 0 || upstreams.includes(id)
    return known ? [] : [{ path, message: `expected ${oneOfUpstreams(id, upstreams)}` }]
  })
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
    ? [{ path: [...path, 'name'], message: 'another project has this name already' }]
    : []
}

// A push upstream names the upstream project alone, so it must lead to one local project.
function mirroredTwice(projects: readonly Mapping[]): readonly Finding[] {
  const owners = new Map<string, Mapping>()
  return projects.flatMap((project, index) => {
    const mirrored = textAt(project, 'upstreamProject') ?? textAt(project, 'name') ?? ''
    const taken = upstreamsOf(project).some((id) => {
      const owner = owners.get(`${id}/${mirrored}`)
      owners.set(`${id}/${mirrored}`, owner ?? project)
      // Two projects of one name are reported as such.
      return owner !== undefined && owner['name'] !== project['name']
    })
    const key = project['upstreamProject'] === undefined ? 'name' : 'upstreamProject'
    const path = ['projects', index, key]
    return taken ? [{ path, message: MIRRORED_TWICE }] : []
  })
}

const MIRRORED_TWICE =
  'another project already mirrors this project of the same upstream: a push there could not be told apart'

function upstreamsOf(project: Mapping): readonly string[] {
  const value = project['upstream']
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((id): id is string => typeof id === 'string' && id !== '')
}
