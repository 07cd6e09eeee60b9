import fc from 'fast-check'

/** In latin1; `{id}` stands for a text of four characters that is put in its place. */
export interface RegistryAnswer {
  readonly status: number
  readonly head: string
  /** As it is sent, with what follows it unasked. */
  readonly body: string
  /** The registry closes the connection behind it. */
  readonly ends: boolean
  /** What a client that asked for it gets; undefined where the answer breaks off, or can be read in two ways. */
  readonly meant: string | undefined
  /** The same to a HEAD. */
  readonly meantByHead: '' | undefined
}

const INNER = 'HTTP/1.1 299 Inner\r\nX-Id: {id}\r\nContent-Length: 4\r\n\r\n{id}'

interface Framed {
  readonly lines: readonly string[]
  readonly body: string
  readonly meant: string | undefined
  /** The head alone tells one thing. */
  readonly clear: boolean
  readonly ends: boolean
}

const text = fc.oneof(
  fc.constantFrom('', '{id}', 'abc{id}def', INNER, '{id}'.repeat(500)),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
)
/** What nobody asked for. It comes in one piece with the end of the answer: later, it could be told from nothing. */
const surplus = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(INNER, '{id}', '\r\n', 'HTTP/1.1 2', '0\r\n\r\n') },
)

const sized = fc.tuple(text, surplus).map(([body, more]) => ({
  ...{ lines: [`Content-Length: ${body.length}`], body: body + more, meant: body },
  ...{ clear: true, ends: false },
}))
const open = text.map((body) => ({ lines: [], body, meant: body, clear: true, ends: true }))

const codingLine = fc.constantFrom(
  ...['Transfer-Encoding: chunked', 'transfer-encoding: Chunked', 'TRANSFER-ENCODING:chunked'],
)
const inChunks = fc
  .tuple(text, fc.constantFrom('', ';a=1'), fc.constantFrom('', 'X-Trailer: {id}\r\n'))
  .map(([body, extension, trailer]) => {
    const size = `${body.length.toString(16)}${extension}\r\n`
    const chunks = body === '' ? '' : `${size}${body}\r\n`
    return { body, sent: `${chunks}0\r\n${trailer}\r\n` }
  })
const chunked = fc.tuple(codingLine, inChunks, surplus).map(([line, { body, sent }, more]) => ({
  ...{ lines: [line], body: sent + more, meant: body },
  ...{ clear: true, ends: false },
}))

const brokenChunks = fc
  .tuple(
    codingLine,
    fc.constantFrom(
      ...['5\r\nab', '5\r\nabcdefg\r\n0\r\n\r\n', '-1\r\n\r\n', 'x\r\n', '4\r\n{id}\r\n'],
      ...['', '0x3\r\nabc\r\n0\r\n\r\n', '0'],
    ),
  )
  .map(([line, body]) => ({
    ...{ lines: [line], body, meant: undefined },
    ...{ clear: true, ends: true },
  }))
const short = fc.tuple(text, fc.integer({ min: 1, max: 900 })).map(([body, missing]) => ({
  ...{ lines: [`Content-Length: ${body.length + missing}`], body, meant: undefined },
  ...{ clear: true, ends: true },
}))

const odd = fc.constantFrom(
  ...['Content-Length: +4', 'Content-Length: 4, 4', 'Content-Length: 0x4', 'Content-Length: -1'],
  ...['Content-Length:', 'Content-Length: 99999999999999999999', 'Content-Length: 4 4'],
  ...['Transfer-Encoding: gzip', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding:'],
  ...['Transfer-Encoding: chunked, gzip', 'Transfer-Encoding: xchunked'],
  ...['Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: identity'],
)
const usual = fc.constantFrom(
  ...['Content-Length: 4', 'Content-Length: 9', 'content-length: 4', 'Transfer-Encoding: chunked'],
)
const unclear = fc
  .tuple(
    fc.oneof(
      odd.map((line) => [line]),
      fc.tuple(usual, fc.oneof(usual, odd)).map((lines) => [...lines]),
    ),
    fc.oneof(
      text,
      inChunks.map(({ sent }) => sent),
    ),
  )
  .map(([lines, body]) => ({ lines, body, meant: undefined, clear: false, ends: true }))

const framed: fc.Arbitrary<Framed> = fc.oneof(
  { weight: 8, arbitrary: sized },
  { weight: 5, arbitrary: chunked },
  { weight: 2, arbitrary: open },
  { weight: 2, arbitrary: fc.oneof(brokenChunks, short) },
  { weight: 3, arbitrary: unclear },
)

const status = fc.oneof(
  { weight: 5, arbitrary: fc.constant(200) },
  { weight: 3, arbitrary: fc.constantFrom(201, 202, 206, 307, 401, 404, 416, 429, 503, 599) },
  { weight: 2, arbitrary: fc.constantFrom(204, 304) },
)
const other = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom(
      ...['Connection: close', 'Connection: keep-alive', 'Connection: Content-Length, X-Other'],
      ...['Connection: Transfer-Encoding', 'Keep-Alive: timeout=1', 'Trailer: X-Trailer'],
      ...['Upgrade: other', 'X-Empty:', 'Via: 1.1 somebody', 'X-Other: a', 'Set-Cookie: a=b'],
      ...['Date: now', 'Content-Encoding: gzip', 'Location: /v2/', 'Docker-Content-Digest: x'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('no colon', 'X-Folded: a\r\n b', 'X-Odd: a\x01b', 'X Odd: a'),
  },
)
/** Many of them, so that what stands behind them is beyond any number that a reader keeps. */
const filling = fc.oneof(
  { weight: 30, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.constantFrom(31, 100, 101) },
  { weight: 1, arbitrary: fc.constantFrom(1_000, 2_001) },
)
const interim = fc.oneof(
  { weight: 12, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nX-Id: {id}\r\n\r\n',
    ),
  },
)
const version = fc.oneof(
  { weight: 12, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constant('HTTP/1.0') },
)

/** Of any shape, right more often than not. */
export const registryAnswer: fc.Arbitrary<RegistryAnswer> = fc
  .record({
    ...{ framed, status, version, interim, filling },
    reason: fc.constantFrom('OK', '', 'Caf\xe9', 'a  b'),
    others: fc.array(other, { maxLength: 3 }),
    ends: fc.boolean(),
  })
  .map((parts) => {
    const { lines, body, clear, meant, ends } = parts.framed
    const first = `${parts.version} ${parts.status} ${parts.reason}`
    const fill = Array<string>(parts.filling).fill('f:1')
    const all = [first, 'X-Id: {id}', ...parts.others, ...fill, ...lines]
    const bodiless = parts.status === 204 || parts.status === 304
    const meantByHead = clear ? '' : undefined
    return {
      ...{ status: parts.status, head: `${parts.interim}${all.join('\r\n')}\r\n\r\n`, body },
      ...{ ends: ends || parts.ends, meant: bodiless ? meantByHead : meant, meantByHead },
    }
  })
