import { randomUUID } from 'node:crypto'
import { answerJson } from '../answers.ts'
import type { Harbor } from '../parts.ts'
import type { Account, HarborState, Right } from '../state.ts'
import { type ApiTurn, deny } from './api-turn.ts'

interface Permission {
  readonly kind: 'project' | 'system'
  readonly namespace: string
  readonly access: readonly { readonly resource: string; readonly action: string }[]
}

/** Of the system's administrator only: the stand-in's projects have no administrators of their own. */
export function serveRobots({ state }: Harbor, turn: ApiTurn): void {
  const { account, request, path } = turn
  if (account?.admin !== true) deny(turn, account === undefined ? 401 : 403)
  else if (request.method === 'POST') makeRobot(state, turn)
  else if (request.method === 'GET') answerJson(turn, 200, robotsOf(state, turn))
  else {
    const robot = [...state.accounts.values()].find(({ id }) => id === Number(path[1]))
    if (robot === undefined) deny(turn, 404)
    else changeRobot(state, turn, robot)
  }
}

function changeRobot(state: HarborState, turn: ApiTurn, robot: Account): void {
  const { method } = turn.request
  if (method === 'DELETE') {
    state.accounts.delete(robot.name)
    answerJson(turn, 200)
  } else if (method === 'PATCH') {
    const password = `Secret-${randomUUID()}`
    state.accounts.set(robot.name, { ...robot, password })
    answerJson(turn, 200, { secret: password })
  } else if (turn.body['name'] !== robot.name) deny(turn, 400)
  else {
    const { permissions = [] } = turn.body as { permissions?: readonly Permission[] }
    state.accounts.set(robot.name, {
      ...robot,
      rights: rightsOf(permissions),
      robot: { ...turn.body },
    })
    answerJson(turn, 200)
  }
}

function makeRobot(state: HarborState, turn: ApiTurn): void {
  const {
    name,
    level,
    permissions = [],
  } = turn.body as {
    name: string
    level: 'project' | 'system'
    permissions?: readonly Permission[]
  }
  const [first] = permissions
  const login = level === 'system' ? `robot$${name}` : `robot$${first?.namespace ?? ''}+${name}`
  if (state.accounts.has(login)) {
    deny(turn, 409)
    return
  }
  const rights = rightsOf(permissions)
  const password = `Secret-${randomUUID()}`
  const robot = { ...turn.body }
  const made = state.addAccount(login, { password, rights, robot })
  answerJson(turn, 201, { id: made.id, name: login, secret: password, expires_at: -1 })
}

function rightsOf(permissions: readonly Permission[]): Account['rights'] {
  return new Map(
    permissions.map(({ kind, namespace, access }) => [
      kind === 'system' ? '*' : namespace,
      access.flatMap(rightOf),
    ]),
  )
}

function rightOf({ resource, action }: Permission['access'][number]): readonly Right[] {
  return RIGHTS[`${resource}:${action}`] ?? []
}

const RIGHTS: Readonly<Record<string, readonly Right[]>> = {
  'repository:pull': ['pull'],
  'repository:push': ['push'],
  'repository:delete': ['delete'],
  'artifact:delete': ['delete'],
  'tag:delete': ['tag-delete'],
  'artifact:list': ['artifact-list'],
  'catalog:read': ['catalog'],
}

function robotsOf(state: HarborState, { url }: ApiTurn) {
  const level = /Level=(\w+)/.exec(url.searchParams.get('q') ?? '')?.[1] ?? 'system'
  const project = /ProjectID=(\d+)/.exec(url.searchParams.get('q') ?? '')?.[1]
  const of = [...state.projects.values()].find(({ id }) => String(id) === project)?.name
  return [...state.accounts.values()].flatMap((account: Account) => {
    const robot = account.robot as { level?: string } | undefined
    if (robot?.level !== level) return []
    if (of !== undefined && !account.rights.has(of)) return []
    return [{ ...robot, id: account.id, name: account.name }]
  })
}
