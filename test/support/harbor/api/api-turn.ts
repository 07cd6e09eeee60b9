import { refuse, type Turn } from '../answers.ts'
import { type Account, type Project, type Right, rightsIn } from '../state.ts'

/** A request to Harbor's own API, of somebody who is known or of nobody. */
export interface ApiTurn extends Turn {
  readonly account: Account | undefined
  /** The path below `/api/v2.0`, in its parts. */
  readonly path: readonly string[]
  readonly body: Readonly<Record<string, unknown>>
}

export interface ProjectTurn extends ApiTurn {
  readonly project: Project
  /** What follows the project. */
  readonly rest: readonly string[]
}

export function may({ account, project }: ProjectTurn, right: Right): boolean {
  return rightsIn(account, project).includes(right)
}

export function deny(turn: Turn, status: 400 | 401 | 403 | 404 | 409): void {
  refuse(turn, { status, code: CODES[status], message: CODES[status].toLowerCase() })
}

const CODES = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
} as const
