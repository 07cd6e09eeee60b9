import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ProjectConfig } from '../../config/config.ts'
import { sendError } from '../error-answers.ts'
import { inTime } from '../../waiting/in-time.ts'
import { withHeader, withoutHeaders } from '../framing/forwarded-headers.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import { type OriginalAnswer, sendAnswer } from '../local/original-answer.ts'
import { fieldsOf, isObject, parseJson } from '../../oci/json.ts'
import { projectOfLocal } from '../../policy/matching.ts'
import type { RegistryPath } from '../registry-path.ts'
import type { Rights } from '../rights/rights.ts'
import { inWords, isUnavailable, QUEUE_UNAVAILABLE, type Why } from './miss-answer.ts'
import type { MissesConfig } from './misses.ts'

interface SendMissingDeps {
  readonly config: () => Pick<MissesConfig, 'projects'>
  readonly rights: Pick<Rights, 'allow'>
}

interface MissingImage {
  readonly exchange: {
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly forwarded: ForwardedRequest
  }
  readonly path: Extract<RegistryPath, { kind: 'manifest' }>
  /** The registry's own 404. */
  readonly original: OriginalAnswer
  readonly why: Why
}

/**
 * The registry's own 404, with the reason that pullsync had nothing better for those who may know it. Where
 * nobody could say whether there is such an image, a project can have another status instead, but not for a
 * client with `ns`: containerd has other places to ask then.
 */
export async function sendMissing(
  { exchange, path, original, why }: MissingImage,
  { config, rights }: SendMissingDeps,
  signal: AbortSignal,
): Promise<void> {
  const { request, response, forwarded } = exchange
  const { repository } = path
  const project = projectOfLocal(repository, config().projects)
  // Of what is no project's there is nothing to know, and that nothing can be queued says nothing of the image.
  const mayKnow =
    project === undefined ||
    why === QUEUE_UNAVAILABLE ||
    (await inTime(rights.allow({ repository, forwarded }, 404, signal), RIGHTS_WITHIN_MS)) === true
  const told = mayKnow ? why : undefined
  const status = statusOf(why, project, request)
  if (status === 404) {
    sendAnswer(response, told === undefined ? original : withReason(original, told))
  } else {
    response.setHeader('Retry-After', Math.ceil((why.retryAfterMs ?? 0) / 1_000))
    sendUnavailable(response, status, told)
  }
}

// The client has waited already; a Redis that is slow tells nobody anything.
const RIGHTS_WITHIN_MS = 250

function statusOf(
  why: Why,
  project: Pick<ProjectConfig, 'onUnavailable'> | undefined,
  { url = '' }: IncomingMessage,
): ProjectConfig['onUnavailable'] {
  const hasElsewhere = new URLSearchParams(url.split('?', 2)[1]).has('ns')
  return project === undefined || hasElsewhere || !isUnavailable(why) ? 404 : project.onUnavailable
}

function sendUnavailable(response: ServerResponse, status: 429 | 503, told: Why | undefined): void {
  const code = status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE'
  if (told === undefined) {
    sendError(response, status, { code, message: UNAVAILABLE })
    return
  }
  response.setHeader(REASON, headerOf(told))
  sendError(response, status, { code, message: inWords(told), detail: detailOf(told) })
}

const REASON = 'Pullsync-Reason'
const UNAVAILABLE = 'the image cannot be brought here at the moment'

/** An item with a parameter, RFC 9651: `upstream-down;job="hq-2qwm88hfki"`. */
function headerOf({ reason, jobId }: Why): string {
  return jobId === undefined ? reason : `${reason};job="${jobId}"`
}

function detailOf(why: Why) {
  const { reason, jobId } = why
  return { reason, message: inWords(why), ...(jobId !== undefined && { job: jobId }) }
}

/** In the header, and where the body has the form of the OCI distribution-spec, "Error Codes", also there. */
function withReason({ status, rawHeaders, body }: OriginalAnswer, why: Why): OriginalAnswer {
  const told = withHeader(rawHeaders, REASON, headerOf(why))
  const detailed = withDetail(body, why)
  if (detailed === undefined) return { status, rawHeaders: told, body }
  const headers = withoutHeaders(told, OF_THE_BODY)
  const length = ['Content-Length', `${detailed.length}`]
  return { status, rawHeaders: [...headers, ...length], body: detailed }
}

/** They were about the body as it was, and how it came. */
const OF_THE_BODY = ['Content-Length', 'Transfer-Encoding', 'Etag', 'Content-Md5', 'Digest']

function withDetail(body: Buffer, why: Why): Buffer | undefined {
  const parsed = parseJson(body)
  if (!isObject(parsed) || !Array.isArray(parsed['errors'])) return undefined
  const [first, ...others] = parsed['errors'] as readonly unknown[]
  if (!isObject(first)) return undefined
  const detail = { ...fieldsOf(first['detail']), pullsync: detailOf(why) }
  // Of an error, clients print the message alone.
  const message = [first['message'], inWords(why)].filter((part) => typeof part === 'string')
  const told = { ...first, message: message.join(': '), detail }
  return Buffer.from(JSON.stringify({ ...parsed, errors: [told, ...others] }))
}
