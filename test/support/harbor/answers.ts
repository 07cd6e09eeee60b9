import type { IncomingMessage, ServerResponse } from 'node:http'

/** One exchange with a client. */
export interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** As the client named us: made of what it sent, as Harbor makes the addresses that it gives out. */
  readonly origin: string
  readonly url: URL
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly challenge?: string
}

export const BASIC = 'Basic realm="harbor"'

/** The error in the registry API's form; HEAD gets its status without a body. */
export function refuse({ request, response }: Turn, refusal: Refusal): void {
  const { status, code, message, challenge } = refusal
  request.resume()
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    ...(challenge !== undefined && { 'www-authenticate': challenge }),
  })
  const body = JSON.stringify({ errors: [{ code, message }] })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export function answerJson(
  { request, response }: Turn,
  status: number,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
  response.end(request.method === 'HEAD' || body === undefined ? undefined : JSON.stringify(body))
}

export function unauthorized(repository: string, action: string, challenge = BASIC): Refusal {
  const message = `unauthorized to access repository: ${repository}, action: ${action}`
  return { status: 401, code: 'UNAUTHORIZED', message: `${message}: ${message}`, challenge }
}

export function projectNotFound(repository: string): Refusal {
  const [project = ''] = repository.split('/', 1)
  return { status: 401, code: 'UNAUTHORIZED', message: `project ${project} not found` }
}

export function notFound(what: string): Refusal {
  return { status: 404, code: 'NOT_FOUND', message: `${what} not found` }
}
