import { discard, readUpTo } from './body.ts'
import { type ErrorBody, MAX_ERROR_BYTES, parseErrorBody } from '../errors/error-body.ts'
import type { RegistryError } from '../errors/registry-error.ts'
import { type RequestIdentity, statusFailure } from '../errors/failures.ts'
import type { Operation } from '../words/operation.ts'
import { type Exchanger, exchangeWithRedirects } from './redirects.ts'
import { type Repeatable, type RetryOptions, withRetries } from './retry.ts'
import { parseRetryAfter } from './retry-after.ts'
import type { Exchange, RegistryResponse } from './exchange.ts'

/** One request with everything that belongs to it: redirects, authentication, retries. */
export interface RegistryRequest extends Omit<Exchange, 'headers'> {
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** The statuses that the caller can do something with; every other one is thrown as an error. */
  readonly expect: readonly number[]
  readonly repeatable: Repeatable
  /** What a token must allow, as in the distribution project's token scope documentation. */
  readonly scopes: readonly string[]
}

export type Send = (request: RegistryRequest) => Promise<RegistryResponse>

export interface Exchangers {
  /** Sends a request to where it was first addressed, with what authenticates it. */
  readonly atHome: (exchange: Exchange, scopes: readonly string[]) => Promise<RegistryResponse>
  /** Sends it to wherever it was led, with nothing of ours. */
  readonly elsewhere: Exchanger
}

export function createSend(exchangers: Exchangers, retries: RetryOptions): Send {
  return async (request) =>
    await withRetries(retries, repeatableOf(request), request.signal, async () => {
      const response = await exchangeWithRedirects(
        { ...request, headers: request.headers ?? {} },
        (exchange) => exchangers.atHome(exchange, request.scopes),
        exchangers.elsewhere,
      )
      const status = SAME_AS.get(response.status) ?? response.status
      if (request.expect.includes(status)) return { ...response, status }
      throw await failureOf(request, response)
    })
}

/** A token that another request needs has been asked for as often as anything is. */
function repeatableOf({ operation, repeatable }: RegistryRequest): Repeatable {
  return (error) => (error.kind !== 'token' || operation.kind === 'token') && repeatable(error)
}

/** Content that a proxy may have changed is judged by its digest; what is gone is not there. RFC 9110, sections 15.3.4 and 15.5.11. */
const SAME_AS: ReadonlyMap<number, number> = new Map([
  [203, 200],
  [410, 404],
])

async function failureOf(
  request: RequestIdentity,
  response: RegistryResponse,
): Promise<RegistryError> {
  const retryAfterMs = parseRetryAfter(response.header('retry-after'))
  const answer = {
    status: response.status,
    body: await errorBodyOf(response),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(response.lacks !== undefined && { lacks: response.lacks }),
  }
  return statusFailure(
    { method: request.method, url: response.url, operation: operationAt(request, response.url) },
    answer,
  )
}

async function errorBodyOf({ body, header }: RegistryResponse): Promise<ErrorBody> {
  try {
    const { bytes } = await readUpTo(MAX_ERROR_BYTES, body)
    return parseErrorBody(header('content-encoding') === undefined ? bytes : Buffer.alloc(0))
  } catch {
    // The status is what counts; that its explanation broke off is no news.
    discard(body)
    return { codes: [], text: '', unknown: [] }
  }
}

// An answer of the object store means something else than the same answer of the registry.
function operationAt({ operation, url }: RequestIdentity, answered: URL): Operation {
  if (answered.origin === url.origin) return operation
  return { ...operation, kind: answered.hostname === url.hostname ? 'moved' : 'storage' }
}
