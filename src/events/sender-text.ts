import { createHash } from 'node:crypto'
import type { Delivery } from './delivery.ts'
import { type JsonObject, textAt } from './json-body.ts'

const MAX_TOLD_LENGTH = 256

/**
 * An event id that may stand in logs, headers and job records: up to 128 visible ASCII characters.
 * Anything else a sender calls its id is not used as one.
 */
export function saneId(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined
}

/** An id for what a sender without ids sent: repetitions of it are told apart from other deliveries. */
export function idOfBody({ body }: Delivery): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 32)
}

/** What a sender says about who did it: free text, so only the first 256 characters are kept. */
export function senderText(text: string): string {
  return text.slice(0, MAX_TOLD_LENGTH)
}

export function senderTextAt(object: JsonObject, key: string): string | undefined {
  const text = textAt(object, key)
  return text === undefined ? undefined : senderText(text)
}
