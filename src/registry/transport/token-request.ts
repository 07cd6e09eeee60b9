import { fieldsOf, parseJson } from '../../oci/json.ts'
import { readDocument } from './document.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import type { Operation } from '../words/operation.ts'
import { createSend } from './request.ts'
import { idempotent, type RetryOptions } from './retry.ts'
import type { Transport } from './transport.ts'

/** One question to a token service. */
export interface TokenQuestion {
  readonly operation: Operation
  readonly url: URL
  /** The Authorization header, for the address itself and not for where it redirects to. */
  readonly authorization?: string
  /** What is posted; without it the question is a GET. */
  readonly form?: URLSearchParams
  readonly signal: AbortSignal
}

/** The object that a token service answered with. Throws a RegistryError. */
export type AskToken = (question: TokenQuestion) => Promise<Readonly<Record<string, unknown>>>

// Tokens that list a hundred repositories with all their actions are around 16 KiB.
const MAX_TOKEN_BYTES = 128 * 1024
const FORM = 'application/x-www-form-urlencoded'

export function tokenAsker(transport: Transport, retries: RetryOptions): AskToken {
  const { exchange } = transport
  const send = createSend({ atHome: exchange, elsewhere: exchange }, retries)
  return async ({ operation, url, authorization, form, signal }) => {
    const response = await send({
      operation,
      method: form === undefined ? 'GET' : 'POST',
      url,
      headers: {
        accept: 'application/json',
        ...(authorization !== undefined && { authorization }),
        ...(form !== undefined && { 'content-type': FORM }),
      },
      ...(form !== undefined && { body: Buffer.from(form.toString(), 'utf8') }),
      scopes: [],
      expect: [200],
      repeatable: idempotent,
      brief: true,
      signal,
    })
    const { bytes, complete } = await readDocument(MAX_TOKEN_BYTES, response)
    if (complete) return fieldsOf(parseJson(bytes))
    throw wrongAnswer(operation, `the token is larger than ${MAX_TOKEN_BYTES} bytes.`)
  }
}
