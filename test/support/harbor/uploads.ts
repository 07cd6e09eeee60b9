import { buffer } from 'node:stream/consumers'
import { projectNotFound, refuse, unauthorized } from './answers.ts'
import { exceeds, type ManifestTurn, quotaExceeded } from './manifests.ts'
import type { Harbor } from './parts.ts'
import { type Account, rightsIn } from './state.ts'

export interface UploadTurn extends ManifestTurn {
  readonly account: Account | undefined
}

/** Uploads of somebody who may push: quota is looked at with the last bytes, mounts before all. */
export async function serveUpload(harbor: Harbor, turn: UploadTurn): Promise<void> {
  const { request, url } = turn
  const from = url.searchParams.get('from')
  if (request.method === 'POST' && from !== null && !mayMount(harbor, turn, from)) return
  if (request.method === 'PUT') await finish(harbor, turn)
  else await more(harbor, turn)
}

function mayMount({ state }: Harbor, turn: UploadTurn, from: string): boolean {
  const project = state.projectOf(from)
  if (project === undefined) refuse(turn, projectNotFound(from))
  else if (!rightsIn(turn.account, project).includes('pull'))
    refuse(turn, unauthorized(from, 'pull'))
  else return true
  return false
}

async function more({ state, behind }: Harbor, turn: UploadTurn): Promise<void> {
  const { request, asked } = turn
  let sent = 0
  if (request.method === 'PATCH') request.on('data', (bytes: Buffer) => (sent += bytes.length))
  await behind.pass(turn)
  state.uploads.set(asked.what, (state.uploads.get(asked.what) ?? 0) + sent)
}

async function finish({ state, behind }: Harbor, turn: UploadTurn): Promise<void> {
  const { request, asked, project } = turn
  const last = await buffer(request)
  const size = (state.uploads.get(asked.what) ?? 0) + last.length
  state.uploads.delete(asked.what)
  if (exceeds(project, size)) {
    refuse(turn, quotaExceeded(project, size))
    return
  }
  if ((await behind.pass(turn, last)) === 201) project.used += size
}
