import { buffer } from 'node:stream/consumers'
import { answerJson, type Turn } from '../answers.ts'
import type { Harbor } from '../parts.ts'
import { type Project, rightsIn } from '../state.ts'
import { senderOf } from '../tokens.ts'
import { type ApiTurn, deny, type ProjectTurn } from './api-turn.ts'
import { serveArtifacts } from './artifacts.ts'
import { servePolicies } from './policies.ts'
import { makeProject, removeProject, viewOf } from './projects.ts'
import { serveRobots } from './robots.ts'

export async function serveApi(harbor: Harbor, turn: Turn): Promise<void> {
  const { shown, account } = senderOf(harbor.state, turn.request)
  if (shown !== 'nothing' && account === undefined) {
    deny(turn, 401)
    return
  }
  const path = turn.url.pathname.slice('/api/v2.0/'.length).split('/').map(decodeURIComponent)
  const text = (await buffer(turn.request)).toString('utf8')
  const body = text === '' ? {} : (JSON.parse(text) as ApiTurn['body'])
  await route(harbor, { ...turn, account, path, body })
}

async function route(harbor: Harbor, turn: ApiTurn): Promise<void> {
  const [kind, name, ...rest] = turn.path
  if (kind === 'systeminfo') answerJson(turn, 200, { harbor_version: 'v2.15.2-stand-in' })
  else if (kind === 'robots') serveRobots(harbor, turn)
  else if (kind === 'projects' && name === undefined) serveProjects(harbor, turn)
  else if (kind === 'projects' && name !== undefined) await serveProject(harbor, turn, name, rest)
  else deny(turn, 404)
}

function serveProjects({ state }: Harbor, turn: ApiTurn): void {
  if (turn.account === undefined) deny(turn, 401)
  else if (turn.request.method === 'HEAD') {
    const asked = turn.url.searchParams.get('project_name') ?? ''
    answerJson(turn, state.projects.has(asked) ? 200 : 404)
  } else if (turn.request.method === 'POST') makeProject(state, turn)
  else answerJson(turn, 200, [...state.projects.values()].map(viewOf))
}

async function serveProject(
  harbor: Harbor,
  turn: ApiTurn,
  name: string,
  rest: readonly string[],
): Promise<void> {
  const project = harbor.state.projects.get(name)
  const known = turn.account !== undefined
  if (project === undefined) deny(turn, known ? 404 : 401)
  else if (rightsIn(turn.account, project).length === 0) deny(turn, known ? 403 : 401)
  else await serveInProject(harbor, { ...turn, project, rest })
}

async function serveInProject(harbor: Harbor, turn: ProjectTurn): Promise<void> {
  const { project, rest, request } = turn
  const [kind] = rest
  if (kind === undefined && request.method === 'DELETE') removeProject(harbor.state, turn)
  else if (kind === undefined) answerJson(turn, 200, viewOf(project))
  else if (kind === 'summary') answerJson(turn, 200, summaryOf(project))
  else if (kind === 'immutabletagrules') answerJson(turn, 200, rulesOf(project))
  else if (kind === 'webhook') servePolicies(harbor, turn)
  else await serveArtifacts(harbor, turn)
}

function summaryOf({ quota, used }: Project) {
  return { quota: { hard: { storage: quota }, used: { storage: used } } }
}

function rulesOf({ immutable }: Project) {
  if (immutable === undefined) return []
  const tag = { kind: 'doublestar', decoration: 'matches', pattern: immutable }
  return [{ id: 1, disabled: false, tag_selectors: [tag], scope_selectors: {} }]
}
