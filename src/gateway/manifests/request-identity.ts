import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { saneId } from '../../events/sender-text.ts'

/** Who asks, and under which id that is followed. */
export function requestIdentity({ headers, headersDistinct }: IncomingMessage) {
  const userAgent = headers['user-agent']
  return {
    id: saneId(headersDistinct['x-request-id']?.[0]) ?? randomUUID(),
    ...(userAgent !== undefined && { userAgent }),
  }
}

/** The upstream that the client means, where it says so. */
export function upstreamHost({ url = '' }: IncomingMessage): { readonly host?: string } {
  const host = new URLSearchParams(url.split('?', 2)[1]).get('ns')
  return host === null || host === '' ? {} : { host }
}
