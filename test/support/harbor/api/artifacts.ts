import { answerJson } from '../answers.ts'
import { removeArtifact } from '../manifests.ts'
import type { Harbor } from '../parts.ts'
import type { Artifact } from '../state.ts'
import { deny, may, type ProjectTurn } from './api-turn.ts'

/** `artifacts` of a project, the newest first; and what can be done with one of a repository. */
export async function serveArtifacts(harbor: Harbor, turn: ProjectTurn): Promise<void> {
  const [kind, repository = '', , reference = '', tags, tag] = turn.rest
  if (kind === 'artifacts') listArtifacts(turn)
  else if (kind !== 'repositories') deny(turn, 404)
  else if (turn.rest.length === 2 && turn.request.method === 'DELETE') removeRepository(turn)
  else await serveArtifact(harbor, turn, { repository, reference, tag: tags && tag })
}

/** With all that it holds. */
function removeRepository(turn: ProjectTurn): void {
  const [, repository = ''] = turn.rest
  const full = `${turn.project.name}/${decodeURIComponent(repository)}`
  if (!may(turn, 'delete')) deny(turn, 403)
  else if (turn.project.repositories.delete(full)) answerJson(turn, 200)
  else deny(turn, 404)
}

function listArtifacts(turn: ProjectTurn): void {
  const { project, url } = turn
  if (!may(turn, 'artifact-list')) {
    deny(turn, 403)
    return
  }
  const [, from = '', to = ''] =
    /push_time=\[([^~\]]*)~([^\]]*)\]/.exec(url.searchParams.get('q') ?? '') ?? []
  const size = Number(url.searchParams.get('page_size') ?? 10)
  const page = Number(url.searchParams.get('page') ?? 1)
  const all = [...project.repositories].flatMap(([repository, artifacts]) =>
    [...artifacts.values()].map((artifact) => viewOf(repository, artifact)),
  )
  const found = all
    .filter(({ push_time: at }) => at >= timeOf(from, '') && (to === '' || at <= timeOf(to, at)))
    .sort((a, b) => b.push_time.localeCompare(a.push_time))
  const shown = found.slice((page - 1) * size, page * size)
  answerJson(turn, 200, shown, { 'x-total-count': String(found.length) })
}

// "2026-11-28 20:00:00" is how the query language writes a time.
function timeOf(text: string, otherwise: string): string {
  return text === '' ? otherwise : new Date(`${text.replace(' ', 'T')}Z`).toISOString()
}

function viewOf(repository: string, { digest, mediaType, size, pushedAt, tags }: Artifact) {
  const time = pushedAt.toISOString()
  const named = [...tags].map((name) => ({ name, push_time: time }))
  return {
    repository_name: repository,
    digest,
    manifest_media_type: mediaType,
    size,
    push_time: time,
    tags: named.length === 0 ? null : named,
  }
}

interface Named {
  readonly repository: string
  readonly reference: string
  readonly tag: string | undefined
}

async function serveArtifact(
  harbor: Harbor,
  turn: ProjectTurn,
  { repository, reference, tag }: Named,
): Promise<void> {
  const { project, request, account } = turn
  // A slash in a repository's name is encoded twice.
  const full = `${project.name}/${decodeURIComponent(repository)}`
  const artifact = harbor.state.artifact(full, reference)
  if (artifact === undefined) deny(turn, 404)
  else if (request.method !== 'DELETE') answerJson(turn, 200, viewOf(full, artifact))
  else if (!may(turn, tag === undefined ? 'delete' : 'tag-delete')) deny(turn, 403)
  else if (tag === undefined) {
    const sender = account?.name ?? ''
    await removeArtifact(harbor, { project, repository: full, artifact, sender })
    answerJson(turn, 200)
  } else if (artifact.tags.delete(tag)) answerJson(turn, 200)
  // No event tells of a tag alone.
  else deny(turn, 404)
}
