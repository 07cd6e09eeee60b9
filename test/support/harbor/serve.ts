import { BASIC, projectNotFound, refuse, type Refusal, type Turn, unauthorized } from './answers.ts'
import { serveApi } from './api/api.ts'
import { serveCatalog, serveReferrers, serveTags } from './lists.ts'
import { type ManifestTurn, serveManifest } from './manifests.ts'
import { actionOf, type Asked, type AskedOfRepository, askedOf } from './registry-path.ts'
import { type Account, type HarborState, rightsIn } from './state.ts'
import { senderOf, serveToken } from './tokens.ts'
import type { Harbor } from './parts.ts'
import { serveUpload } from './uploads.ts'

export async function serve(harbor: Harbor, turn: Turn): Promise<void> {
  const { pathname } = turn.url
  if (pathname === '/service/token') serveToken(harbor.state, turn)
  else if (pathname.startsWith('/api/v2.0/')) await serveApi(harbor, turn)
  else if (pathname === '/v2' || pathname.startsWith('/v2/')) await serveRegistry(harbor, turn)
  // The portal.
  else turn.response.writeHead(404).end()
}

async function serveRegistry(harbor: Harbor, turn: Turn): Promise<void> {
  const { request, url } = turn
  const asked = askedOf(url.pathname)
  const { shown, account } = senderOf(harbor.state, request)
  if (asked.kind === 'catalog') {
    serveCatalog(harbor, turn, shown === 'basic' ? account : undefined)
  } else if (shown === 'nothing') {
    refuse(turn, challenged(asked, turn))
  } else if (asked.kind === 'ping') {
    servePing(turn, shown === 'bearer' || account !== undefined)
  } else if (asked.kind === 'unknown') {
    turn.response.writeHead(404).end()
  } else {
    await serveRepository(harbor, turn, asked, account)
  }
}

function servePing(turn: Turn, known: boolean): void {
  if (!known) {
    refuse(turn, { status: 401, code: 'UNAUTHORIZED', message: 'unauthorized', challenge: BASIC })
    return
  }
  turn.response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' }).end()
}

/** Public projects, too: whoever shows nothing is sent for a token. */
function challenged(asked: Asked, { origin, request, url }: Turn): Refusal {
  const realm = `Bearer realm="${origin}/service/token",service="harbor-registry"`
  const message = 'unauthorized: unauthorized'
  if (!('repository' in asked)) {
    return { status: 401, code: 'UNAUTHORIZED', message, challenge: realm }
  }
  const { repository } = asked
  const action = actionOf(request.method ?? 'GET')
  const actions = { pull: 'pull', push: 'pull,push', delete: 'delete' }[action]
  const from = url.searchParams.get('from')
  const scopes = [`repository:${repository}:${actions}`, from && `repository:${from}:pull`]
  const challenge = `${realm},scope="${scopes.filter(Boolean).join(' ')}"`
  return unauthorized(repository, action, challenge)
}

async function serveRepository(
  harbor: Harbor,
  turn: Turn,
  asked: AskedOfRepository,
  account: Account | undefined,
): Promise<void> {
  const { repository } = asked
  const project = harbor.state.projectOf(repository)
  if (project === undefined) {
    refuse(turn, projectNotFound(repository))
    return
  }
  const action = actionOf(turn.request.method ?? 'GET')
  if (!rightsIn(account, project).includes(action)) {
    refuse(turn, unauthorized(repository, action))
    return
  }
  const forbidden = action === 'push' ? whyNoPush(harbor.state, project) : undefined
  if (forbidden !== undefined) {
    refuse(turn, { status: 403, code: 'DENIED', message: forbidden })
    return
  }
  const known = { ...turn, asked, project, sender: account?.name ?? '' }
  await serveKind(harbor, known, account)
}

function whyNoPush(
  { readOnly }: HarborState,
  { name, registryId }: { readonly name: string; readonly registryId: number },
): string | undefined {
  if (readOnly) return 'The system is in read only mode. Any modification is prohibited.'
  return registryId > 0 ? `can not push artifact to a proxy project: ${name}` : undefined
}

async function serveKind(
  harbor: Harbor,
  turn: ManifestTurn,
  account: Account | undefined,
): Promise<void> {
  switch (turn.asked.kind) {
    case 'manifest':
      await serveManifest(harbor, turn)
      return
    case 'upload':
      await serveUpload(harbor, { ...turn, account })
      return
    case 'tags':
      serveTags(harbor, turn)
      return
    case 'referrers':
      serveReferrers(harbor, turn)
      return
    case 'blob':
      await harbor.behind.pass(turn)
  }
}
