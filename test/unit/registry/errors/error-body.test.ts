import { describe, expect, it } from 'vitest'
import { parseErrorBody } from '../../../../src/registry/errors/error-body.ts'

describe('parseErrorBody', () => {
  it.each([
    ['an OCI error', '{"errors":[{"code":"DENIED","message":"no"}]}', ['DENIED'], 'no'],
    [
      'several, some of them alike',
      '{"errors":[{"code":"A","message":"x"},{"code":"A","message":"x"},{"code":"B","message":"y"}]}',
      ['A', 'B'],
      'x; y',
    ],
    ['a detail', '{"errors":[{"code":"A","message":"x","detail":"why"}]}', ['A'], 'x: why'],
    ['a detail that is an object', '{"errors":[{"code":"A","detail":{"a":1}}]}', ['A'], ''],
    [
      'a token service’s error',
      '{"details":"incorrect username or password"}',
      [],
      'incorrect username or password',
    ],
    ['OAuth2', '{"error":"invalid","error_description":"no such account"}', [], 'no such account'],
    [
      'plain text',
      'Client sent an HTTP request\nto an HTTPS server.\n',
      [],
      'Client sent an HTTP request to an HTTPS server.',
    ],
    ['a web page without a title', '<html><h1>502</h1></html>', [], ''],
    [
      'a web page by its title',
      '<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>…',
      [],
      'The plain HTTP request was sent to HTTPS port',
    ],
    ['nothing', '', [], ''],
    ['errors of the wrong kind', '{"errors":[null,1,{"code":7}]}', [], ''],
  ])('reads %s', (_, text, codes, told) => {
    expect(parseErrorBody(Buffer.from(text))).toEqual({ codes, text: told, unknown: [] })
  })

  it('tells what the registry says that it does not know', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const errors = [
      { code: 'MANIFEST_BLOB_UNKNOWN', detail: digest },
      { code: 'MANIFEST_BLOB_UNKNOWN', detail: { digest } },
      { code: 'MANIFEST_BLOB_UNKNOWN', detail: 'a layer' },
      { code: 'MANIFEST_BLOB_UNKNOWN' },
      { code: 'DENIED', detail: digest },
    ]

    expect(parseErrorBody(Buffer.from(JSON.stringify({ errors })))).toHaveProperty('unknown', [
      digest,
    ])
  })

  it('keeps what it tells short and free of what could spoil a terminal', () => {
    const { text } = parseErrorBody(Buffer.from(`a\u0007\u001b[2J\u200f b${'c'.repeat(5_000)}`))

    expect(text).toMatch(/^a \[2J b?c*…$/u)
    expect(text).toHaveLength(300)
  })
})
