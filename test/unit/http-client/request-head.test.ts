import { expect, it } from 'vitest'
import { getHead, plainHead } from '../../../src/http-client/request-head.ts'

it('the head of a GET has the path and the headers as the client wrote them', () => {
  const headers = ['Host', 'a:5000', 'X-Two', '1', 'x-two', '', 'Via', '1.1 pullsync \xe9']

  expect(getHead('/v2/a/blobs/sha256:1?_state=%2Bq', headers)).toBe(
    'GET /v2/a/blobs/sha256:1?_state=%2Bq HTTP/1.1\r\nHost: a:5000\r\nX-Two: 1\r\nx-two: \r\n' +
      'Via: 1.1 pullsync \xe9\r\n\r\n',
  )
})

it.each([
  ['HEAD', undefined, 'HEAD /v2/ HTTP/1.1\r\nhost: a\r\n\r\n'],
  ['POST', 0, 'POST /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n'],
  ['PUT', 12, 'PUT /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n'],
  ['GET /elsewhere', undefined, undefined],
])('the head of a %s of %s bytes says how long its body is', (method, bytes, expected) => {
  expect(plainHead(method, '/v2/', ['host', 'a'], bytes)).toBe(expected)
})

it.each([
  ['a space in the path', '/v2/a b', []],
  ['a line end in the path', '/v2/a\r\nX: 1', []],
  ['a path that is none', 'http://elsewhere/v2/', []],
  ['a character beyond one byte in the path', '/v2/\u0141', []],
  ['a line end in a value', '/v2/', ['X', '1\r\nY: 2']],
  ['a line feed in a value', '/v2/', ['X', '1\nY: 2']],
  // Written as one byte, it would be a line feed.
  ['a character beyond one byte in a value', '/v2/', ['X', '1\u010aY: 2']],
  ['a line end in a name', '/v2/', ['X\r\nY', '1']],
  ['a colon in a name', '/v2/', ['X:', '1']],
  ['an empty name', '/v2/', ['', '1']],
  ['the length of a body', '/v2/', ['content-length', '5']],
  ['a body in chunks', '/v2/', ['Transfer-Encoding', 'chunked']],
  ['a wish to be told to continue', '/v2/', ['Expect', '100-continue']],
  ['a wish to speak otherwise', '/v2/', ['Upgrade', 'h2c']],
  ['a wish for its connection', '/v2/', ['Connection', 'close']],
])('there is no head for %s', (_, path, headers) => {
  expect(getHead(path, headers)).toBeUndefined()
})
