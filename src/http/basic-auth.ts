import type { RequestHandler } from 'express'
import { authorizationOf } from '../events/authorization.ts'
import { matchesSecret } from '../events/secret.ts'

export interface BasicCredentials {
  readonly username: string
  readonly password: string
}

/**
 * Lets only these credentials through, RFC 7617; compared in constant time.
 * Asked anew for every request, so that a changed password counts at once; none lets everybody through.
 */
export function basicAuth(credentials: () => BasicCredentials | undefined): RequestHandler {
  return (request, response, next) => {
    const wanted = credentials()
    const { authorization } = request.headers
    if (wanted === undefined || holds(authorization, wanted)) {
      next()
      return
    }
    response
      .status(401)
      .set('WWW-Authenticate', 'Basic realm="pullsync", charset="UTF-8"')
      .json({ error: 'a user name and a password are needed here' })
  }
}

function holds(authorization: string | undefined, wanted: BasicCredentials): boolean {
  const { username, password } = authorizationOf(authorization)
  const rightUser = matchesSecret([username ?? ''], [wanted.username])
  const rightPassword = matchesSecret([password ?? ''], [wanted.password])
  return rightUser && rightPassword
}
