import { answerJson } from '../answers.ts'
import type { HarborState, Project } from '../state.ts'
import { type ApiTurn, deny, type ProjectTurn } from './api-turn.ts'

export function viewOf(project: Project) {
  const { id, name, registryId } = project
  return {
    project_id: id,
    name,
    registry_id: registryId,
    repo_count: project.repositories.size,
    metadata: {
      public: String(project.public),
      enable_content_trust_cosign: String(project.contentTrust),
    },
  }
}

export function makeProject(state: HarborState, turn: ApiTurn): void {
  const { project_name: name, metadata } = turn.body
  if (turn.account?.admin !== true) deny(turn, 403)
  else if (typeof name !== 'string') deny(turn, 400)
  else if (state.projects.has(name)) deny(turn, 409)
  else {
    const isPublic = (metadata as { public?: string } | undefined)?.public === 'true'
    state.addProject(name, { public: isPublic })
    answerJson(turn, 201, undefined, { location: `/api/v2.0/projects/${name}` })
  }
}

/** One that holds anything stays. */
export function removeProject(state: HarborState, turn: ProjectTurn): void {
  const { project, account } = turn
  const held = [...project.repositories.values()].some((artifacts) => artifacts.size > 0)
  if (account?.admin !== true) deny(turn, 403)
  else if (held) deny(turn, 409)
  else {
    state.projects.delete(project.name)
    answerJson(turn, 200)
  }
}
