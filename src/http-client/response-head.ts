/** How the end of a body is found. RFC 9112, section 6.3. */
export type Framing =
  | { readonly kind: 'sized'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }

/** What comes before the body of an answer to a GET. */
export interface ResponseHead {
  readonly status: number
  readonly statusMessage: string
  /** Name, value, name, value … in order. */
  readonly rawHeaders: string[]
  readonly framing: Framing
  /** How long the other side keeps the connection after that, as far as it says; in milliseconds. */
  readonly keptMs?: number
  /** Whether the other side takes another request on the same connection, once the body was read. */
  readonly reusable: boolean
}

export type HeadReading =
  | { readonly kind: 'head'; readonly head: ResponseHead; readonly headBytes: number }
  | { readonly kind: 'incomplete' }
  /** It announces another one. RFC 9110, section 15.2. */
  | { readonly kind: 'interim'; readonly headBytes: number }
  /** For a parser that knows all of HTTP. */
  | { readonly kind: 'unusual'; readonly status: number | undefined }

// Google's registries send 21 KiB. As the listener takes, and the clients on Node's parser.
export const MAX_HEAD_BYTES = 64 * 1024
// Dozens are many. Whoever looks for one among them, as axios does for each, takes seconds for ten thousand.
export const MAX_HEADERS = 500

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$/
const BEGINNING = 'HTTP/1.'
const LINES_SO_FAR = /^(?:[\t\x20-\x7e\x80-\xff]|\r\n)*\r?$/
const HEADER = /^([!#$%&'*+\-.^_`|~\w]+):([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads the head of an HTTP/1 answer as strictly as RFC 9112 writes it. Whatever is not plain, or could be
 * understood in two ways, is not understood here: folded lines, bare line feeds, more than one
 * length, a length beside a transfer coding, another coding than chunks.
 *
 * @param toHead it answers a HEAD: what it says of its body is of another answer's
 */
export function readResponseHead(bytes: Buffer, toHead = false): HeadReading {
  const end = bytes.subarray(0, MAX_HEAD_BYTES).indexOf('\r\n\r\n')
  if (end >= 0) return readWhole(bytes.toString('latin1', 0, end), toHead)
  return bytes.length < MAX_HEAD_BYTES && mayBecomeHead(bytes.toString('latin1'))
    ? { kind: 'incomplete' }
    : { kind: 'unusual', status: undefined }
}

/** The end of what is no head may never come. */
function mayBecomeHead(text: string): boolean {
  return BEGINNING.startsWith(text.slice(0, BEGINNING.length)) && LINES_SO_FAR.test(text)
}

function readWhole(text: string, toHead: boolean): HeadReading {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const [, minor, digits, statusMessage = ''] = STATUS_LINE.exec(statusLine) ?? []
  if (digits === undefined) return { kind: 'unusual', status: undefined }
  const status = Number(digits)
  const headers = readHeaders(lines)
  const headBytes = text.length + 4
  if (headers !== undefined && isInterim(status)) return { kind: 'interim', headBytes }
  const framing = headers && framingOf(status, headers, minor, toHead)
  if (headers === undefined || framing === undefined) return { kind: 'unusual', status }
  const about = { framing, ...afterwards(headers, framing, minor) }
  const head = { status, statusMessage, rawHeaders: headers.flat(), ...about }
  return { kind: 'head', head, headBytes }
}

/** What becomes of the connection. */
function afterwards(
  headers: readonly Header[],
  framing: Framing,
  minor: string | undefined,
): Pick<ResponseHead, 'reusable' | 'keptMs'> {
  const keptAlive = minor === '1' && valuesOf(headers, 'connection').every(keepsAlive)
  const keptMs = keptMsIn(valuesOf(headers, 'keep-alive'))
  const reusable = keptAlive && framing.kind !== 'until-close'
  return { reusable, ...(keptMs !== undefined && { keptMs }) }
}

/** After 101 it would be HTTP no more. */
function isInterim(status: number): boolean {
  return status >= 100 && status < 200 && status !== 101
}

const NO_BODY: Framing = { kind: 'sized', bytes: 0 }

/** RFC 2068, section 19.7.1.1: what servers still send of it. */
function keptMsIn([hint]: readonly string[]): number | undefined {
  const [, seconds] = /(?:^|[\t ,])timeout=(\d{1,6})(?:$|[\t ,])/i.exec(hint ?? '') ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}

function keepsAlive(connection: string): boolean {
  return connection.toLowerCase() === 'keep-alive'
}

type Header = readonly [name: string, value: string]

function readHeaders(lines: readonly string[]): readonly Header[] | undefined {
  if (lines.length > MAX_HEADERS) return undefined
  const headers: Header[] = []
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    headers.push([name, withoutBlanks(value)])
  }
  return headers
}

/** Not `trim`, to which more is blank than to HTTP; and no expression that a long row of blanks would keep busy. */
function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length]
  while (isBlank(text[start])) start += 1
  while (end > start && isBlank(text[end - 1])) end -= 1
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

function framingOf(
  status: number,
  headers: readonly Header[],
  minor: string | undefined,
  toHead: boolean,
): Framing | undefined {
  const announced = announcedFraming(status, headers, minor)
  return announced && toHead ? NO_BODY : announced
}

function announcedFraming(
  status: number,
  headers: readonly Header[],
  minor: string | undefined,
): Framing | undefined {
  const codings = valuesOf(headers, 'transfer-encoding')
  const lengths = valuesOf(headers, 'content-length')
  if (status < 200) return undefined
  if (codings.length === 0) return framingByLength(status, lengths)
  // Before 1.1 there were no chunks; RFC 9112, section 6.1, takes them for a broken head.
  const plain = minor === '1' && lengths.length === 0 && isChunked(codings)
  if (!plain) return undefined
  return isWithoutBody(status) ? NO_BODY : { kind: 'chunked' }
}

function framingByLength(status: number, lengths: readonly string[]): Framing | undefined {
  const [length] = lengths
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length ?? '0')) return undefined
  if (isWithoutBody(status)) return NO_BODY
  return length === undefined ? { kind: 'until-close' } : { kind: 'sized', bytes: Number(length) }
}

function isWithoutBody(status: number): boolean {
  return status === 204 || status === 304
}

function isChunked([coding, ...more]: readonly string[]): boolean {
  return more.length === 0 && coding?.toLowerCase() === 'chunked'
}

function valuesOf(headers: readonly Header[], wanted: string): string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value)
}

/** Named once or not at all, whoever sends more of them: the first one counts, as for Node. */
const SINGULAR = new Set([
  ...['age', 'content-length', 'content-type', 'etag', 'expires', 'last-modified'],
  ...['location', 'retry-after', 'server'],
])

/** @param name in lower case */
export function headerIn(
  { rawHeaders }: Pick<ResponseHead, 'rawHeaders'>,
  name: string,
): string | undefined {
  let found: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue
    const value = rawHeaders[at + 1] ?? ''
    if (SINGULAR.has(name)) return value
    found = found === undefined ? value : `${found}, ${value}`
  }
  return found
}
