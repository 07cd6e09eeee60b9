/** What comes before the body, of an answer whose length its head tells. */
export interface SizedHead {
  readonly status: number
  readonly statusMessage: string
  /** Name, value, name, value … in order. */
  readonly rawHeaders: string[]
  readonly bodyBytes: number
  /** Whether the registry takes another request on the same connection. */
  readonly reusable: boolean
}

export type HeadReading =
  | { readonly kind: 'sized'; readonly head: SizedHead; readonly headBytes: number }
  | { readonly kind: 'incomplete' }
  /** For a parser that knows all of HTTP. */
  | { readonly kind: 'unusual'; readonly status: number | undefined }

// As Node has it.
const MAX_HEAD_BYTES = 16 * 1024

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$/
const BEGINNING = 'HTTP/1.'
const LINES_SO_FAR = /^(?:[\t\x20-\x7e\x80-\xff]|\r\n)*\r?$/
const HEADER = /^([!#$%&'*+\-.^_`|~\w]+):([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads the head of an HTTP/1 answer as strictly as RFC 9112 writes it. Whatever is not plain, or could be
 * understood in two ways, is not understood here: folded lines, bare line feeds, more than one
 * length, a transfer coding, no length at all.
 */
export function readResponseHead(bytes: Buffer): HeadReading {
  const end = bytes.subarray(0, MAX_HEAD_BYTES).indexOf('\r\n\r\n')
  if (end >= 0) return readWhole(bytes.toString('latin1', 0, end))
  return bytes.length < MAX_HEAD_BYTES && mayBecomeHead(bytes.toString('latin1'))
    ? { kind: 'incomplete' }
    : { kind: 'unusual', status: undefined }
}

/** The end of what is no head may never come. */
function mayBecomeHead(text: string): boolean {
  return BEGINNING.startsWith(text.slice(0, BEGINNING.length)) && LINES_SO_FAR.test(text)
}

function readWhole(text: string): HeadReading {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const [, minor, digits, statusMessage = ''] = STATUS_LINE.exec(statusLine) ?? []
  if (digits === undefined) return { kind: 'unusual', status: undefined }
  const status = Number(digits)
  const headers = readHeaders(lines)
  const bodyBytes = headers && bodyBytesOf(status, headers)
  if (headers === undefined || bodyBytes === undefined) return { kind: 'unusual', status }
  const reusable = minor === '1' && valuesOf(headers, 'connection').every(keepsAlive)
  const head = { status, statusMessage, rawHeaders: headers.flat(), bodyBytes, reusable }
  return { kind: 'sized', head, headBytes: text.length + 4 }
}

function keepsAlive(connection: string): boolean {
  return connection.toLowerCase() === 'keep-alive'
}

type Header = readonly [name: string, value: string]

function readHeaders(lines: readonly string[]): readonly Header[] | undefined {
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

/** RFC 9112, section 6.3. Undefined where the head does not tell, or tells in another way than by a length. */
function bodyBytesOf(status: number, headers: readonly Header[]): number | undefined {
  if (status < 200 || valuesOf(headers, 'transfer-encoding').length > 0) return undefined
  const [length, second] = valuesOf(headers, 'content-length')
  if (second !== undefined || (length !== undefined && !/^\d{1,15}$/.test(length))) return undefined
  if (status === 204 || status === 304) return 0
  return length === undefined ? undefined : Number(length)
}

function valuesOf(headers: readonly Header[], wanted: string): string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value)
}
