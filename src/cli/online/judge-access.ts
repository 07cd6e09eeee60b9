import type { Action, ProvenAccess } from '../../registry/content/prove-access.ts'
import type { CheckResult } from './check-result.ts'
import type { ProjectSide } from './project-side.ts'

export type Verdict = Pick<CheckResult, 'ok' | 'message' | 'notes'>

type Side = Pick<ProjectSide, 'project' | 'name' | 'at' | 'actions' | 'isHarbor'>

/** What it means for a project, in words of what to do. */
export function judgeAccess(side: Side, access: ProvenAccess, isReal: boolean): Verdict {
  const { actions, isHarbor } = side
  if (access.kind === 'no-project') return missingProject(side)
  const sure = isHarbor || isReal
  if (access.kind === 'refused') {
    const { status, said } = access
    const answered = `${status}${said === '' ? '' : ` (${said})`}`
    if (!sure) return unsure(`A repository that is not there was answered ${answered}`)
    return { ok: false, message: `the registry answered ${answered}. ${mayNot(side, actions)}` }
  }
  const { lacks } = access
  if (lacks === undefined) return { ok: true, message: `ok, may ${withoutProof(actions)}` }
  if (lacks.length === 0) return { ok: true, message: `ok, may ${listed(actions)}` }
  if (sure) return { ok: false, message: mayNot(side, lacks) }
  return unsure(`For a repository that is not there, no token allows to ${listed(lacks)}`)
}

/** Of several upstreams, the next one is asked for what is not there. */
export function missingProject({ project, name, at }: Side): Verdict {
  const what = `there is no project ${name} here`
  if (at.id === 'local') {
    const create = `Create it, or run "pullsync setup harbor --project ${project.name}".`
    return { ok: false, message: `${what}. ${create}` }
  }
  if (project.upstreams.length > 1) {
    return { ok: true, message: 'ok, but not here', notes: [`${what}: the others are asked.`] }
  }
  const correct = `Correct the project's name or upstreamProject, or give the account of ${keysOf(at)} the right to see it.`
  return { ok: false, message: `${what}. ${correct}` }
}

function mayNot({ name, at }: Side, actions: readonly Action[]): string {
  if (at.username === undefined && at.credentials === undefined) {
    return `Strangers may not ${listed(actions)} in ${name}: set ${keysOf(at)}.username and ${keysOf(at)}.passwordFile.`
  }
  return `Give the account of ${keysOf(at)} the right to ${listed(actions)} in ${name}.`
}

function unsure(what: string): Verdict {
  return {
    ok: true,
    message: 'ok, as far as can be told',
    notes: [`${what}, which says nothing of those that are there.`],
  }
}

// Reading was done; whether writing is allowed is told by tokens, or by doing it.
function withoutProof(actions: readonly Action[]): string {
  const [, ...others] = actions
  return others.length === 0
    ? 'pull'
    : `pull; whether it may ${listed(others)} shows when it is done`
}

function listed(actions: readonly Action[]): string {
  return actions.length < 2
    ? actions.join('')
    : `${actions.slice(0, -1).join(', ')} and ${actions.at(-1) ?? ''}`
}

function keysOf({ id }: Side['at']): string {
  return id === 'local' ? 'local' : `upstreams.${id}`
}
