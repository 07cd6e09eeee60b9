/** A message as RFC 9112 writes it, and nothing more lenient: what a strict program at the other end makes of bytes. */
export interface StrictMessage {
  readonly firstLine: string
  /** In lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** The body ends with the connection. */
  readonly untilEnd: boolean
}

export type Strictly =
  | { readonly kind: 'whole'; readonly message: StrictMessage; readonly rest: string }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'broken'; readonly why: string }

const INCOMPLETE = { kind: 'incomplete' } as const
const HEADER =
  /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/

/** The first request in latin1 text. */
export function readRequest(text: string): Strictly {
  return read(text, /^[A-Z-]+ [\x21-\x7e\x80-\xff]+ HTTP\/1\.1$/, () => 'none')
}

/** The first final answer, to a request of that method. */
export function readAnswer(text: string, method: string): Strictly {
  const answer = read(text, /^HTTP\/1\.1 \d{3} [\t\x20-\x7e\x80-\xff]*$/, (line) => {
    const status = Number(line.slice(9, 12))
    return method === 'HEAD' || status === 204 || status === 304 ? 'never' : 'until-end'
  })
  if (answer.kind !== 'whole') return answer
  const { firstLine, headers } = answer.message
  // RFC 9110, section 8.6; RFC 9112, section 6.1.
  const never = firstLine.startsWith('HTTP/1.1 1') || firstLine.startsWith('HTTP/1.1 204')
  const told = headers.has('content-length') || headers.has('transfer-encoding')
  if (never && told) return broken('the length of a body that there never is')
  const interim = firstLine.startsWith('HTTP/1.1 1')
  return interim ? readAnswer(answer.rest, method) : answer
}

type Untold = 'none' | 'never' | 'until-end'

function read(text: string, first: RegExp, untoldOf: (firstLine: string) => Untold): Strictly {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return text.length > 200_000 ? broken('there is no end to the head') : INCOMPLETE
  const [firstLine = '', ...lines] = text.slice(0, end).split('\r\n')
  if (!first.test(firstLine)) return broken(`first line ${JSON.stringify(firstLine)}`)
  const headers = readHeaders(lines)
  if (typeof headers === 'string') return broken(headers)
  const untold = firstLine.startsWith('HTTP/1.1 1') ? 'never' : untoldOf(firstLine)
  const body = readBody(text.slice(end + 4), headers, untold)
  if (body.kind !== 'read') return body
  const message = { firstLine, headers, body: body.body, untilEnd: body.untilEnd }
  return { kind: 'whole', message, rest: body.rest }
}

/** Or what is wrong with them. */
function readHeaders(lines: readonly string[]): ReadonlyMap<string, string> | string {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value = ''] = HEADER.exec(line) ?? []
    if (name === undefined) return `header ${JSON.stringify(line)}`
    const key = name.toLowerCase()
    if (SINGLE.has(key) && headers.has(key)) return `a second ${key}`
    headers.set(key, value)
  }
  return headers
}

const SINGLE = new Set(['content-length', 'transfer-encoding', 'host'])

type Body =
  | {
      readonly kind: 'read'
      readonly body: string
      readonly rest: string
      readonly untilEnd: boolean
    }
  | Exclude<Strictly, { readonly kind: 'whole' }>

function readBody(text: string, headers: ReadonlyMap<string, string>, untold: Untold): Body {
  const coding = headers.get('transfer-encoding')
  const length = headers.get('content-length')
  const fault = faultOf(coding, length)
  if (fault !== undefined) return broken(fault)
  if (untold === 'never') return { kind: 'read', body: '', rest: text, untilEnd: false }
  if (coding !== undefined) return readChunks(text)
  if (length === undefined) {
    return untold === 'none'
      ? { kind: 'read', body: '', rest: text, untilEnd: false }
      : { kind: 'read', body: text, rest: '', untilEnd: true }
  }
  const bytes = Number(length)
  if (text.length < bytes) return INCOMPLETE
  return { kind: 'read', body: text.slice(0, bytes), rest: text.slice(bytes), untilEnd: false }
}

function faultOf(coding: string | undefined, length: string | undefined): string | undefined {
  if (coding !== undefined && length !== undefined) return 'two framings'
  if (coding !== undefined && coding !== 'chunked') return `coding ${coding}`
  return length === undefined || /^\d+$/.test(length) ? undefined : `length ${length}`
}

function readChunks(text: string): Body {
  let body = ''
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return INCOMPLETE
    const size = text.slice(at, end)
    if (!/^[0-9a-f]{1,8}$/i.test(size)) return broken(`chunk size ${JSON.stringify(size)}`)
    const bytes = Number.parseInt(size, 16)
    if (text.length < end + bytes + 4) return INCOMPLETE
    if (text.slice(end + 2 + bytes, end + 4 + bytes) !== '\r\n') return broken('the end of a chunk')
    body += text.slice(end + 2, end + 2 + bytes)
    at = end + 4 + bytes
    if (bytes === 0) return { kind: 'read', body, rest: text.slice(at), untilEnd: false }
  }
}

function broken(why: string): Strictly & { readonly kind: 'broken' } {
  return { kind: 'broken', why }
}
