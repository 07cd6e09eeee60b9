import fc from 'fast-check'

/** In latin1; `{id}` stands for a text of a digit or more that is put in its place. */
export interface ClientMessage {
  readonly head: string
  readonly body: string
}

const INNER = 'GET /v2/inner/{id}/tags/list HTTP/1.1\r\nHost: inner\r\n\r\n'
const END = 'GET /v2/end/{id}/tags/list HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n'

const method = fc.constantFrom('GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'LINK')
const path = fc.constantFrom(
  '/v2/?{id}',
  '/v2/{id}/blobs/uploads/x?_state=a',
  '/v2/{id}/tags/list',
  '/v2/{id}/manifests/1.0',
  'http://other.example/v2/{id}/tags/list',
  '/v2/../{id}/blobs/uploads/',
  '/other/{id}',
)
const version = fc.oneof(
  { weight: 12, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'http/1.1') },
)

const body = fc.oneof(
  fc.constantFrom('', INNER, 'abcde'),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.constantFrom(
    '0\r\n\r\n',
    '5\r\nabcde\r\n0\r\n\r\n',
    '3;ext=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n',
    '5\r\nabcdefg\r\n0\r\n\r\n',
    '0x3\r\nabc\r\n0\r\n\r\n',
    '3\nabc\n0\n\n',
    '-1\r\n\r\n',
    '0\r\nContent-Length: 9\r\n\r\n',
  ),
)

const codingName = fc.constantFrom('Transfer-Encoding', 'transfer-encoding', 'TRANSFER-ENCODING')
const oddName = fc.constantFrom(
  'Transfer-Encoding ',
  ' Transfer-Encoding',
  'Transfer_Encoding',
  'Transfer-Encoding\t',
  'Content-Length ',
  '\tContent-Length',
)
const coding = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('chunked', 'Chunked') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['gzip, chunked', 'chunked, chunked', 'chunked, identity', 'identity', 'xchunked'],
      ...['chunked;q=1', '"chunked"', '\x0bchunked', 'chunked\x00', ',chunked', '', 'chunked,'],
    ),
  },
)
const lengthValue = (bytes: number) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(`${bytes}`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['0', '5', `${bytes + 7}`, `+${bytes}`, `0${bytes}`, `0x${bytes}`, `${bytes}, ${bytes}`],
        ...['', '-1', '1e1', ' 3 ', '3 4', '99999999999999999999', '3;', '\x0c3'],
      ),
    },
  )

function framing(bytes: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 5, arbitrary: lengthValue(bytes).map((value) => `Content-Length: ${value}`) },
    {
      weight: 5,
      arbitrary: fc.tuple(codingName, coding).map(([name, value]) => `${name}: ${value}`),
    },
    { weight: 1, arbitrary: fc.tuple(oddName, coding).map(([name, value]) => `${name}: ${value}`) },
    { weight: 1, arbitrary: coding.map((value) => `Transfer-Encoding:\r\n ${value}`) },
  )
}

const other = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...['Accept: */*', 'X-Empty:', 'Authorization: Basic eDp5', 'Via: 1.1 somebody'],
      ...['X-Forwarded-For: 203.0.113.9', 'Trailer: X-Trailer', 'TE: trailers', 'Range: bytes=0-'],
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['Connection: close', 'Connection: keep-alive', 'Connection: Content-Length, Host'],
      ...['Connection: Transfer-Encoding', 'Connection: upgrade', 'Upgrade: other'],
      ...['Expect: 100-continue', 'Expect: other', 'Host: second', 'Keep-Alive: timeout=1'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.string({ maxLength: 6 }), fc.string({ unit: 'binary-ascii', maxLength: 9 }))
      .map(([name, value]) => `${name}: ${value}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('no colon', 'X-Folded: a\r\n b', 'X-Line: a\nX-Other: b'),
  },
)

/** Many of them, so that what stands behind them is beyond any number that a reader keeps. */
const filling = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.constantFrom(31, 32, 99, 100, 101) },
  { weight: 1, arbitrary: fc.constantFrom(999, 1_001, 2_001) },
)
const lineEnd = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n') },
)

const line = fc.tuple(method, path, version).map(([a, b, c]) => `${a} ${b} ${c}`)
const host = fc.oneof(
  { weight: 20, arbitrary: fc.constant(['Host: here']) },
  { weight: 1, arbitrary: fc.constant<string[]>([]) },
)

/** A request of any shape, its framing right more often than not, and behind it one that closes the connection. */
export const clientMessage: fc.Arbitrary<ClientMessage> = body.chain((text) =>
  fc
    .record({
      line,
      host,
      fill: filling,
      framings: fc.oneof(
        { weight: 6, arbitrary: fc.array(framing(text.length), { minLength: 1, maxLength: 1 }) },
        { weight: 2, arbitrary: fc.array(framing(text.length), { maxLength: 3 }) },
      ),
      others: fc.array(other, { maxLength: 3 }),
      end: lineEnd,
    })
    .map(({ line: first, host: named, fill, framings, others, end }) => ({
      head:
        [first, ...named, ...others, ...Array<string>(fill).fill('f:1'), ...framings].join(end) +
        end +
        end,
      body: text + END,
    })),
)
