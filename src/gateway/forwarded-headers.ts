import type { IncomingMessage } from 'node:http'

/** Name, value, name, value … as `rawHeaders` has them: order, case and repetition are kept. */
export type RawHeaders = readonly string[]

// RFC 9110, section 7.6.1: they are about one connection and end with it.
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * A client that names them in `Connection` does not get rid of them. Without its length a body is the next request on
 * the connection, the answer to which is for whoever asks next.
 */
const ALWAYS_PASSED_ON = new Set(['content-length', 'host', 'x-forwarded-for', 'x-forwarded-proto'])

/** The headers that are for the other end, RFC 9110, section 7.6.1. */
export function endToEnd(raw: RawHeaders): string[] {
  const named = namedByConnection(raw)
  return pairs(raw)
    .filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
    .flat()
}

/**
 * What the registry is sent for a client's request. Its `Host` stays, because the registry makes its
 * absolute Locations and token realms of it, and so does what a proxy in front said of the client.
 *
 * @param via this gateway's own name, by which it knows its own requests when they come back
 */
export function requestHeaders(
  { rawHeaders, headers, socket }: IncomingMessage,
  via: string,
): string[] {
  const chunked = headers['transfer-encoding'] !== undefined
  return [
    ...endToEnd(rawHeaders),
    ...(chunked ? ['Transfer-Encoding', 'chunked'] : []),
    ...(headers['x-forwarded-for'] === undefined && socket.remoteAddress !== undefined
      ? ['X-Forwarded-For', socket.remoteAddress]
      : []),
    ...(headers['x-forwarded-proto'] === undefined ? ['X-Forwarded-Proto', 'http'] : []),
    'Via',
    `1.1 ${via}`,
  ]
}

/** The same request for something else: without a body, with one header in place of another. */
export function withHeader(raw: RawHeaders, name: string, value: string): string[] {
  return [...withoutHeaders(raw, [name]), name, value]
}

export function withoutHeaders(raw: RawHeaders, names: readonly string[]): string[] {
  const unwanted = new Set(names.map((name) => name.toLowerCase()))
  return pairs(raw)
    .filter(([name]) => !unwanted.has(name.toLowerCase()))
    .flat()
}

function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  const values = pairs(raw).flatMap(([name, value]) =>
    name.toLowerCase() === 'connection' ? value.split(',') : [],
  )
  const names = values.map((value) => value.trim().toLowerCase())
  return new Set(names.filter((name) => !ALWAYS_PASSED_ON.has(name)))
}

function pairs(raw: RawHeaders): readonly (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [
    raw[at * 2] ?? '',
    raw[at * 2 + 1] ?? '',
  ])
}
