import type { Request, RequestHandler, Response } from 'express'
import { authorizationOf } from '../events/proof/authorization.ts'
import { matchesSecret } from '../events/proof/secret.ts'
import { LoginAttempts } from './login-attempts.ts'

export interface BasicCredentials {
  readonly username: string
  readonly password: string
}

export interface BasicAuthOptions {
  /** Asked anew for every request, so that a changed password counts at once; none lets everybody through. */
  readonly credentials: () => BasicCredentials | undefined
  /** Who is slowed down for guessing. */
  readonly peerOf: (request: Request) => string
  /** Told of every wrong login, looked at or not. */
  readonly onRefused: (refused: { readonly peer: string; readonly slowed: boolean }) => void
  readonly attempts?: LoginAttempts
}

/** Lets only these credentials through, RFC 7617; compared in constant time. Slows down whoever guesses. */
export function basicAuth({
  credentials,
  peerOf,
  onRefused,
  attempts = new LoginAttempts(),
}: BasicAuthOptions): RequestHandler {
  return (request, response, next) => {
    const wanted = credentials()
    const { authorization } = request.headers
    if (wanted === undefined) {
      next()
      return
    }
    if (authorization === undefined) {
      challenge(response)
      return
    }
    const peer = peerOf(request)
    if (!attempts.mayTry(peer)) {
      onRefused({ peer, slowed: true })
      response.status(429).set('Retry-After', '1').json({ error: 'too many wrong passwords' })
    } else if (holds(authorization, wanted)) {
      attempts.succeeded(peer)
      next()
    } else {
      attempts.failed(peer)
      onRefused({ peer, slowed: false })
      challenge(response)
    }
  }
}

function challenge(response: Response): void {
  response
    .status(401)
    .set('WWW-Authenticate', 'Basic realm="pullsync", charset="UTF-8"')
    .json({ error: 'a user name and a password are needed here' })
}

function holds(authorization: string, wanted: BasicCredentials): boolean {
  const { username, password } = authorizationOf(authorization)
  const rightUser = matchesSecret([username ?? ''], [wanted.username])
  const rightPassword = matchesSecret([password ?? ''], [wanted.password])
  return rightUser && rightPassword
}
