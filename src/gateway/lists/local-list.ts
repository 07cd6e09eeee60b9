import type { IncomingMessage, ServerResponse } from 'node:http'
import { MANIFEST_ACCEPT } from '../../oci/media-types.ts'
import { withHeader, withoutHeaders } from '../framing/forwarded-headers.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import { type NextPage, nextPage } from '../../registry/words/next-page.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import { keepAnswer, type OriginalAnswer, sendAnswer } from '../local/original-answer.ts'
import { streamAnswer } from '../local/stream-answer.ts'

export interface ListExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly forwarded: ForwardedRequest
  readonly method: 'GET' | 'HEAD'
}

/** Of fifty thousand long names. */
const MAX_BYTES = 8 * 1024 * 1024

// A list that is to be read comes whole and plain.
const NOT_ASKED_FOR = [
  ...['accept-encoding', 'range', 'if-range', 'if-none-match', 'if-modified-since'],
]

/** The registry's own list, by GET. A client's wish for a form that it does not take is not passed on. */
export async function askForList(
  forwarded: ForwardedRequest,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<OriginalAnswer> {
  const plain = withoutHeaders(forwarded.headers, NOT_ASKED_FOR)
  const headers = withHeader(plain, 'Accept', `${MANIFEST_ACCEPT}, application/json`)
  const answer = await local.ask({ ...forwarded, method: 'GET', headers }, signal)
  return await keepAnswer(answer, MAX_BYTES)
}

/** Of a list that is longer than one that is looked into: the registry's own, as it comes. */
export async function sendWholeList(
  { response, forwarded }: Pick<ListExchange, 'response' | 'forwarded'>,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<void> {
  await streamAnswer(await local.ask(forwarded, signal), response)
}

/**
 * Says with an answer that upstream's part is missing from it. OCI distribution-spec, "Warnings".
 */
export function sendShortOf(
  response: ServerResponse,
  answer: OriginalAnswer,
  { complete, what }: { readonly complete: boolean; readonly what: string },
): void {
  const rawHeaders = complete
    ? answer.rawHeaders
    : [...answer.rawHeaders, 'Warning', warningOf(what)]
  sendAnswer(response, { ...answer, rawHeaders })
}

export function warningOf(what: string): string {
  return `299 - "upstream's ${what} could not be read, or not all of them: some may be missing here"`
}

/** Where the registry's own list goes on. */
export function nextOf({ rawHeaders }: OriginalAnswer, path: string): NextPage {
  // RFC 9110, section 5.3: several lines are one.
  const links = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'link',
  )
  return nextPage(links.join(', '), new URL(path, HERE), HERE)
}

/** Only the paths of links count. */
const HERE = new URL('http://registry/v2/')
