import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { answerJson, type Turn } from './answers.ts'
import { type Account, type HarborState, rightsIn } from './state.ts'

const EXPIRES_IN_S = 1_800

/** Who sends a request, by what it shows: undefined where it shows nothing, or nothing that is good. */
export function senderOf(
  state: HarborState,
  { headers }: IncomingMessage,
): { readonly shown: 'nothing' | 'basic' | 'bearer'; readonly account?: Account | undefined } {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ')
  if (/^bearer$/i.test(scheme)) return { shown: 'bearer', account: state.tokens.get(value) }
  if (!/^basic$/i.test(scheme)) return { shown: 'nothing' }
  const [, name = '', password] = /^([^:]*):(.*)$/s.exec(atob(value)) ?? []
  const account = state.accounts.get(name)
  return { shown: 'basic', account: account?.password === password ? account : undefined }
}

/**
 * The token service: its claims hold all that the account may do in the repositories that are asked
 * for, whatever was asked; wrong credentials get a token that allows nothing, unless no scope is named.
 */
export function serveToken(state: HarborState, turn: Turn): void {
  const { request, url } = turn
  if (request.method !== 'GET') {
    answerJson(turn, 405)
    return
  }
  const { shown, account } = senderOf(state, request)
  const scopes = url.searchParams.getAll('scope').flatMap((scope) => scope.split(' '))
  const wrong = shown === 'basic' && account === undefined
  if (wrong && scopes.length === 0) {
    answerJson(turn, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'unauthorized' }] })
    return
  }
  const access = scopes.map((scope) => ({
    type: 'repository',
    name: nameIn(scope),
    actions: wrong ? [] : actionsIn(state, account, nameIn(scope)),
  }))
  const token = jwtOf({ sub: account?.name ?? '', access, jti: randomUUID() })
  state.tokens.set(token, account)
  const issued = { expires_in: EXPIRES_IN_S, issued_at: new Date().toISOString() }
  answerJson(turn, 200, { token, access_token: '', ...issued })
}

function nameIn(scope: string): string {
  return scope.split(':').slice(1, -1).join(':')
}

function actionsIn(state: HarborState, account: Account | undefined, repository: string) {
  const project = state.projectOf(repository)
  const rights = project === undefined ? [] : rightsIn(account, project)
  return ['pull', 'push', 'delete'].filter((action) => rights.some((right) => right === action))
}

// Nobody checks the signature: the stand-in remembers its tokens.
function jwtOf(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return [part({ alg: 'none', typ: 'JWT' }), part(claims), 'stand-in'].join('.')
}
