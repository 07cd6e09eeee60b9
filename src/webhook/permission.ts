import type { SourceConfig } from '../config/config.ts'
import type { DeliveryHead } from '../events/delivery.ts'
import type { Format } from '../events/format.ts'
import { FORMATS } from '../events/formats.ts'
import { refusal, type Reply } from './reply.ts'

/**
 * The answer to a sender that asks by OPTIONS whether it may send: HTTP webhooks for CloudEvents
 * 1.0.2, section 4 ("Abuse Protection"). It has to prove itself like a delivery.
 */
export function permission(head: DeliveryHead, source: SourceConfig | undefined): Reply {
  const origin = head.headers['webhook-request-origin']
  const format: Format | undefined = source && FORMATS[source.format]
  if (source === undefined || format === undefined || !('asksFirst' in format)) return NOT_ASKED
  if (origin === undefined) return NOT_ASKED
  if (format.prove(head, source.secrets) !== true) {
    return refusal(401, `the question does not prove to come from source "${source.id}"`)
  }
  const headers = { 'WebHook-Allowed-Origin': origin, 'WebHook-Allowed-Rate': '*' }
  return { status: 200, body: {}, headers }
}

/** For every method but POST. */
export const NOT_ASKED: Reply = refusal(405, 'events are sent with POST', { Allow: 'POST' })
