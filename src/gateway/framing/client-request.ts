import type { IncomingMessage } from 'node:http'
import type { TrustedProxies } from '../../http/trusted-proxies.ts'
import { endToEnd, type RawHeaders, valuesOf, withoutHeaders } from './forwarded-headers.ts'
import { type Framing, NO_BODY, readFraming } from './framing.ts'
import { readTarget, type RequestTarget } from './request-target.ts'
import { withClientSide } from './forwarded-client.ts'

/** A client's request whose head was understood whole. */
export interface ClientRequest {
  readonly method: string
  readonly target: RequestTarget
  /** For the registry; without those that tell of the body, which whoever writes the request writes. */
  readonly headers: RawHeaders
  /** Of what the registry is sent; a GET, HEAD or DELETE never has one. */
  readonly body: Framing
  /** Whether the client sends a body that nobody reads. */
  readonly unread: boolean
}

export interface Reading {
  /** This gateway's own name, by which it knows its own requests when they come back. */
  readonly via: string
  readonly trusted: TrustedProxies
}

const NAME = /^[!#$%&'*+\-.^_`|~\w]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/** Undefined for a head that could be understood in two ways, or that cannot be written as it was read. */
export function readClientRequest(
  request: IncomingMessage,
  { via, trusted }: Reading,
): ClientRequest | undefined {
  const { method = 'GET', url = '', rawHeaders } = request
  const target = readTarget(url)
  const told = readFraming(rawHeaders)
  if (target === undefined || told === undefined || !isPlain(request, told)) return undefined
  const [host] = valuesOf(rawHeaders, 'host')
  const body = WITHOUT_BODY.has(method) ? NO_BODY : told
  const replaced = body.kind === 'none' ? ['Host', 'Expect'] : ['Host']
  return {
    method,
    target,
    headers: [
      // RFC 9112, section 3.2.2: the target's goes first. The registry makes its addresses of it.
      ...['Host', target.host ?? host ?? addressHere(request)],
      ...withClientSide(withoutHeaders(endToEnd(rawHeaders), replaced), request, trusted),
      ...['Via', `1.1 ${via}`],
    ],
    body,
    unread: told.kind !== body.kind,
  }
}

/** Whether it can be written as it was read, and means one thing. */
function isPlain({ rawHeaders, httpVersionMinor }: IncomingMessage, told: Framing): boolean {
  // RFC 9112, section 6.1: a coding in HTTP/1.0 is a mistake of somebody who does not know where the body ends.
  if (told.kind === 'open' && httpVersionMinor !== 1) return false
  if (valuesOf(rawHeaders, 'host').length > 1) return false
  return rawHeaders.every((text, at) => (at % 2 === 0 ? NAME : VALUE).test(text))
}

/** Where its connection ends here; what a client means that names no host, as HTTP/1.0 allows. */
export function addressHere({ socket }: IncomingMessage): string {
  const { localAddress = 'localhost', localPort = 80 } = socket
  const host = localAddress.replace(/^::ffff:(?=\d+\.)/i, '')
  return `${host.includes(':') ? `[${host}]` : host}:${localPort}`
}
