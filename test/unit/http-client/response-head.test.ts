import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerIn, readResponseHead } from '../../../src/http-client/response-head.ts'

const lines = (...all: string[]) => Buffer.from(`${all.join('\r\n')}\r\n\r\n`, 'latin1')
const OK = 'HTTP/1.1 200 OK'

describe('the head of an answer', () => {
  it('is read with the order, case and repetition of its headers', () => {
    const bytes = lines(
      OK,
      'X-Two: 1',
      'x-two:2',
      'Content-Length:  12 ',
      'Etag: "\xe9"',
      'Empty:',
      'Blank: \t ',
      'X:\xa0',
    )

    expect(readResponseHead(bytes)).toEqual({
      kind: 'head',
      headBytes: bytes.length,
      head: {
        status: 200,
        statusMessage: 'OK',
        rawHeaders: [
          ...[
            'X-Two',
            '1',
            'x-two',
            '2',
            'Content-Length',
            '12',
            'Etag',
            '"\xe9"',
            'Empty',
            '',
            'Blank',
            '',
            'X',
            '\xa0',
          ],
        ],
        framing: { kind: 'sized', bytes: 12 },
        reusable: true,
      },
    })
  })

  it('ends where the body begins, whatever that is', () => {
    const head = lines(OK, 'Content-Length: 8')
    const body = Buffer.from('\r\n\r\nHTTP')

    expect(readResponseHead(Buffer.concat([head, body]))).toMatchObject({ headBytes: head.length })
  })

  it('is incomplete until its last byte', () => {
    const bytes = lines(OK, 'Content-Length: 8')

    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(readResponseHead(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' })
      }),
    )
  })

  it.each([
    ['a 304, though it tells the length of what it is not sending', '304 Not Modified', 0],
    ['a 204', '204 No Content', 0],
    ['a 404', '404 Not Found', 7],
    ['a 206', '206 Partial Content', 7],
  ])('tells the bytes that follow, of %s', (_, status, bytes) => {
    const reading = readResponseHead(lines(`HTTP/1.1 ${status}`, 'Content-Length: 7'))

    expect(reading).toMatchObject({ kind: 'head', head: { framing: { kind: 'sized', bytes } } })
  })

  it.each([
    [true, { kind: 'chunked' }, ['Transfer-Encoding: chunked']],
    [true, { kind: 'chunked' }, ['transfer-encoding:  Chunked ', 'Trailer: x']],
    [false, { kind: 'until-close' }, ['Content-Type: x']],
  ])('says how else the end of the body is found: %s, %j', (reusable, framing, headers) => {
    expect(readResponseHead(lines(OK, ...headers))).toMatchObject({ head: { framing, reusable } })
  })

  it.each([
    ['nothing', []],
    ['chunks', ['Transfer-Encoding: chunked']],
  ])('expects no body where none can follow, whatever is told: %s', (_, headers) => {
    for (const status of ['204 No Content', '304 ']) {
      expect(readResponseHead(lines(`HTTP/1.1 ${status}`, ...headers))).toMatchObject({
        head: { framing: { kind: 'sized', bytes: 0 } },
      })
    }
  })

  it.each([
    [true, OK, 'Connection: keep-alive'],
    [true, OK, 'connection: Keep-Alive'],
    [false, OK, 'Connection: close'],
    [false, OK, 'Connection: keep-alive, close'],
    [false, OK, 'Connection: upgrade'],
    [false, 'HTTP/1.0 200 OK', 'Connection: keep-alive'],
  ])('says whether the connection goes on: %s', (reusable, status, connection) => {
    const reading = readResponseHead(lines(status, 'Content-Length: 7', connection))

    expect(reading).toMatchObject({ kind: 'head', head: { reusable } })
  })

  it.each([
    ['two lengths', [OK, 'Content-Length: 7', 'Content-Length: 8']],
    ['the same length twice', [OK, 'Content-Length: 7', 'content-length: 7']],
    ['lengths in a list', [OK, 'Content-Length: 7, 7']],
    ['a length with a sign', [OK, 'Content-Length: +7']],
    ['a negative length', [OK, 'Content-Length: -7']],
    ['a length in hexadecimal', [OK, 'Content-Length: 0x7']],
    ['an empty length', [OK, 'Content-Length:']],
    ['a length beyond what a number holds', [OK, 'Content-Length: 99999999999999999999']],
    ['a length and chunks', [OK, 'Content-Length: 7', 'Transfer-Encoding: chunked']],
    ['chunks twice', [OK, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['chunks of another coding', [OK, 'Transfer-Encoding: gzip, chunked']],
    ['another coding', [OK, 'Transfer-Encoding: gzip']],
    ['an empty coding', [OK, 'Transfer-Encoding:']],
    ['chunks before there were any', ['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked']],
    ['an identity coding', [OK, 'Content-Length: 7', 'transfer-encoding: identity']],
    ['a 304 with two lengths', ['HTTP/1.1 304 x', 'Content-Length: 7', 'Content-Length: 8']],
    ['a provisional answer with a line that is none', ['HTTP/1.1 100 Continue', 'no header']],
    ['another protocol', ['HTTP/1.1 101 Switching', 'Upgrade: h2c', 'Content-Length: 7']],
    ['more headers than anybody sends', [OK, ...Array.from({ length: 501 }, () => 'X: 1')]],
    ['a folded line', [OK, 'X: 1', ' Content-Length: 8', 'Content-Length: 7']],
    ['a space before the colon', [OK, 'Content-Length : 7']],
    ['a space before the name', [OK, ' Content-Length: 7']],
    ['no colon', [OK, 'Content-Length 7', 'Content-Length: 7']],
    ['no name', [OK, ': 7', 'Content-Length: 7']],
    ['a bare line feed', [OK, 'X: 1\nContent-Length: 8', 'Content-Length: 7']],
    ['a bare carriage return', [OK, 'X: 1\rContent-Length: 8', 'Content-Length: 7']],
    ['a zero byte', [OK, 'X: \0', 'Content-Length: 7']],
    ['a control character in a name', [OK, 'X\x01: 1', 'Content-Length: 7']],
    ['an older version', ['HTTP/0.9 200 OK', 'Content-Length: 7']],
    ['a newer version', ['HTTP/2.0 200 OK', 'Content-Length: 7']],
    ['a version in lower case', ['http/1.1 200 OK', 'Content-Length: 7']],
    ['a status of two digits', ['HTTP/1.1 20 OK', 'Content-Length: 7']],
    ['a status of four digits', ['HTTP/1.1 2000 OK', 'Content-Length: 7']],
    ['no status', ['HTTP/1.1', 'Content-Length: 7']],
    ['two spaces before the status', ['HTTP/1.1  200 OK', 'Content-Length: 7']],
    ['a bare line feed after the status', ['HTTP/1.1 200 OK\nX: 1', 'Content-Length: 7']],
    ['an empty line before it', ['', OK, 'Content-Length: 7']],
    ['no HTTP', ['SSH-2.0-OpenSSH_9.2', 'Content-Length: 7']],
  ])('is not understood with %s', (_, all) => {
    expect(readResponseHead(lines(...all)).kind).toBe('unusual')
  })

  it.each(['S', 'HTTP/2', 'http/1.1 200', `${OK}\n`, `${OK}\r\nX: \x01`, `${OK}\r\r`, '\r\n'])(
    'is not waited for after %j',
    (begun) => {
      expect(readResponseHead(Buffer.from(begun)).kind).toBe('unusual')
    },
  )

  it('is not waited for beyond 16 KiB', () => {
    const long = `X: ${'x'.repeat(64 * 1024)}`

    expect(readResponseHead(Buffer.from(`${OK}\r\n${long}`)).kind).toBe('unusual')
    expect(readResponseHead(lines(OK, long, 'Content-Length: 7')).kind).toBe('unusual')
  })
})

describe('a header of an answer', () => {
  const rawHeaders = ['Location', '/one', 'location', '/two', 'Link', 'a', 'LINK', 'b', 'Empty', '']

  it.each([
    ['location', '/one'],
    ['link', 'a, b'],
    ['empty', ''],
    ['none', undefined],
  ])('%s is %s', (name, expected) => {
    expect(headerIn({ rawHeaders }, name)).toBe(expected)
  })
})
