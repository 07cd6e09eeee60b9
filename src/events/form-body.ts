import type { Delivery } from './delivery.ts'

/**
 * The JSON of a delivery: its body; or, of `application/x-www-form-urlencoded`, the field `payload`,
 * which is what GitHub and Gitea send when a hook is not set to JSON.
 */
export function payloadOf({ headers, body }: Pick<Delivery, 'headers' | 'body'>): Buffer {
  const type = headers['content-type']?.trim().toLowerCase() ?? ''
  if (!type.startsWith('application/x-www-form-urlencoded')) return body
  return Buffer.from(new URLSearchParams(body.toString('latin1')).get('payload') ?? '')
}
