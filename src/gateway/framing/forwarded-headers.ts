/** Name, value, name, value … as `rawHeaders` has them: order, case and repetition are kept. */
export type RawHeaders = readonly string[]

// RFC 9110, section 7.6.1: they are about one connection and end with it. So does how the body is framed: whoever
// writes a head says that anew.
const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A client that names them in `Connection` does not get rid of them. */
const ALWAYS_PASSED_ON = new Set(['host', 'x-forwarded-for', 'x-forwarded-proto'])

/** The headers that are for the other end, RFC 9110, section 7.6.1. */
export function endToEnd(raw: RawHeaders): string[] {
  const named = namedByConnection(raw)
  return pairs(raw)
    .filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
    .flat()
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

/** Of all headers of that name, which is in lower case. */
export function valuesOf(raw: RawHeaders, wanted: string): string[] {
  return pairs(raw)
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value)
}

function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  const values = valuesOf(raw, 'connection').flatMap((value) => value.split(','))
  const names = values.map((value) => value.trim().toLowerCase())
  return new Set(names.filter((name) => !ALWAYS_PASSED_ON.has(name)))
}

function pairs(raw: RawHeaders): readonly (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [
    raw[at * 2] ?? '',
    raw[at * 2 + 1] ?? '',
  ])
}
