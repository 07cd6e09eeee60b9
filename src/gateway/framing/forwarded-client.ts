import type { IncomingMessage } from 'node:http'
import { peerAddress, type TrustedProxies } from '../../http/trusted-proxies.ts'
import { type RawHeaders, withoutHeaders } from './forwarded-headers.ts'

/** Told of a client by the proxies on its way: de facto headers, and RFC 7239. */
const OF_PROXIES = /^(?:x-forwarded-.+|forwarded|x-real-ip)$/i

type ClientHead = Pick<IncomingMessage, 'headers' | 'socket'>

/**
 * The headers with what the registry is told of the client's side: what a trusted proxy said of it, with that proxy
 * appended; of anybody else what is known here. Registries make addresses of uploads and token realms out of it.
 */
export function withClientSide(
  raw: RawHeaders,
  request: ClientHead,
  trusted: TrustedProxies,
): readonly string[] {
  const peer = peerAddress(request)
  const { headers } = request
  if (peer === undefined || !trusted.has(peer)) {
    const told = raw.filter((name, at) => at % 2 === 0 && OF_PROXIES.test(name))
    return [...withoutHeaders(raw, told), ...hop(peer), 'X-Forwarded-Proto', 'http']
  }
  const before = [headers['x-forwarded-for'] ?? []].flat()
  return [
    ...withoutHeaders(raw, ['X-Forwarded-For']),
    ...hop([...before, peer].join(', ')),
    ...(headers['x-forwarded-proto'] === undefined
      ? ['X-Forwarded-Proto', schemeIn(headers.forwarded)]
      : []),
  ]
}

/** Of the first element: of the proxy that clients spoke with. Quoted text is none of it. */
const SCHEME = /^(?:[^",]|"(?:[^"\\]|\\.)*")*?(?<![^;\s])proto="?(https?)"?\s*(?:[;,]|$)/i

/** RFC 7239, section 5.4. Many registries read the older header only. */
function schemeIn(forwarded = ''): string {
  return SCHEME.exec(forwarded)?.[1]?.toLowerCase() ?? 'http'
}

function hop(addresses: string | undefined): string[] {
  return addresses === undefined ? [] : ['X-Forwarded-For', addresses]
}
