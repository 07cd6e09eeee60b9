import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import type { TrustedProxies } from '../../http/trusted-proxies.ts'
import type { GatewayReporter } from '../../telemetry/reports/report-gateway.ts'
import { sendError, UNREACHABLE } from '../error-answers.ts'
import { addressHere, readClientRequest } from '../framing/client-request.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import { passOn } from '../pass-on.ts'
import { tokenPath } from './token-path.ts'

export interface TokenServiceDeps {
  /** Both are asked anew for every request, so that a reload takes effect at once. */
  readonly local: () => LocalRegistry
  readonly trustedProxies: () => TrustedProxies
  readonly report: Pick<GatewayReporter, 'localUnreachable'>
}

/** GET is the token specification's way, POST is OAuth2's. */
const METHODS = new Set(['GET', 'POST'])
const CHALLENGE_WITHIN_MS = 10_000

/**
 * The local registry's token service, where the registry's challenge sends clients for tokens to the address at
 * which they asked: that is the gateway's. Exactly that path goes through, and nothing else that the registry's
 * host may serve beside it. The registry is asked anew each time, so a service that moves is followed at once.
 */
export function tokenService(deps: TokenServiceDeps): RequestHandler {
  const via = `pullsync-${randomUUID()}`
  return async (request, response, next) => {
    const trusted = deps.trustedProxies()
    const read = METHODS.has(request.method)
      ? readClientRequest(request, { via, trusted })
      : undefined
    if (read === undefined) {
      next()
      return
    }
    const { method, headers, body, target } = read
    await reaching(request, response, deps, async (local) => {
      if ((await pathFor(request, response, local)) !== target.path) {
        next()
        return
      }
      if (read.unread) response.shouldKeepAlive = false
      const forwarded = { method, path: target.path + target.query, headers }
      await passOn(request, response, { forwarded, body }, local)
    })
  }
}

async function pathFor(
  request: IncomingMessage,
  response: ServerResponse,
  local: LocalRegistry,
): Promise<string | undefined> {
  const gone = new AbortController()
  const abort = () => {
    gone.abort(new Error('the client went away'))
  }
  response.once('close', abort)
  try {
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(CHALLENGE_WITHIN_MS)])
    return await tokenPath(local, { here: addressHere(request), signal })
  } finally {
    response.off('close', abort)
  }
}

/** Whoever asks while the registry cannot be reached is told so, and not that there is no such service. */
async function reaching(
  request: IncomingMessage,
  response: ServerResponse,
  deps: TokenServiceDeps,
  act: (local: LocalRegistry) => Promise<void>,
): Promise<void> {
  try {
    await act(deps.local())
  } catch (error) {
    if (response.destroyed || request.socket.destroyed) return
    deps.report.localUnreachable({ method: request.method ?? '', error })
    sendError(response, 502, UNREACHABLE)
  }
}
