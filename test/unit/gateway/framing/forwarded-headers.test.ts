import { describe, expect, it } from 'vitest'
import {
  endToEnd,
  withHeader,
  withoutHeaders,
} from '../../../../src/gateway/framing/forwarded-headers.ts'

describe('endToEnd', () => {
  it('keeps order, case and repetition', () => {
    const raw = ['Accept', 'a', 'accept', 'b', 'X-Odd', '']
    expect(endToEnd(raw)).toEqual(raw)
  })

  it('drops what is about the connection, also what Connection names', () => {
    expect(
      endToEnd([
        ...['Connection', 'close, X-Private', 'Keep-Alive', 'timeout=5', 'X-Private', '1'],
        ...['Content-Length', '5'],
        ...[
          'Transfer-Encoding',
          'chunked',
          'TE',
          'trailers',
          'Upgrade',
          'h2c',
          'Range',
          'bytes=0-',
        ],
      ]),
    ).toEqual(['Range', 'bytes=0-'])
  })

  it('keeps what Connection cannot be about', () => {
    const kept = [
      ...['host', 'a', 'X-Forwarded-For', '10.0.0.1'],
      ...['X-Forwarded-Proto', 'https'],
    ]
    const names = 'Host, x-forwarded-for, x-forwarded-proto'

    expect(endToEnd(['Connection', names, ...kept])).toEqual(kept)
  })
})

describe('withHeader', () => {
  it('puts one in place of all of that name', () => {
    expect(withHeader(['ACCEPT', 'a', 'Host', 'h', 'accept', 'b'], 'Accept', 'c')).toEqual([
      ...['Host', 'h', 'Accept', 'c'],
    ])
  })
})

describe('withoutHeaders', () => {
  it('takes names in any case', () => {
    expect(withoutHeaders(['If-None-Match', 'x', 'Host', 'h'], ['if-none-match'])).toEqual([
      ...['Host', 'h'],
    ])
  })
})
