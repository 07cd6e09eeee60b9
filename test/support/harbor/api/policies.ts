import { answerJson } from '../answers.ts'
import type { Harbor } from '../parts.ts'
import type { Policy } from '../state.ts'
import { deny, may, type ProjectTurn } from './api-turn.ts'

/** `webhook/policies` of a project. */
export function servePolicies({ state, webhooks }: Harbor, turn: ProjectTurn): void {
  const { project, rest, request, body } = turn
  const id = Number(rest[2])
  const at = project.policies.findIndex((policy) => policy.id === id)
  if (!may(turn, 'project-admin')) deny(turn, 403)
  else if (request.method === 'POST') {
    const policy = { enabled: true, ...body, id: state.nextId() } as unknown as Policy
    project.policies.push(policy)
    const location = `/api/v2.0/projects/${project.name}/webhook/policies/${policy.id}`
    answerJson(turn, 201, undefined, { location })
  } else if (rest[2] === undefined) answerJson(turn, 200, project.policies)
  else if (at < 0) deny(turn, 404)
  else if (rest[3] === 'executions')
    answerJson(
      turn,
      200,
      webhooks.executions.filter((each) => each.vendor_id === id),
    )
  else if (request.method === 'DELETE') {
    project.policies.splice(at, 1)
    answerJson(turn, 200)
  } else if (request.method === 'PUT') {
    project.policies.splice(at, 1, { ...body, id } as unknown as Policy)
    answerJson(turn, 200)
  } else answerJson(turn, 200, project.policies[at])
}
