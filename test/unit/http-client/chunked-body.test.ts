import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkedBody, MalformedChunksError } from '../../../src/http-client/chunked-body.ts'

const END = '0\r\n\r\n'

/** Read in pieces of those lengths, over and over. */
function readAll(bytes: Buffer, lengths: readonly number[] = [bytes.length]) {
  const body = new ChunkedBody()
  const pieces: Buffer[] = []
  let surplus = false
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const end = at + (lengths[turn % lengths.length] ?? 1)
    const read = body.read(bytes.subarray(at, end))
    pieces.push(...read.pieces)
    surplus ||= read.surplus
    at = end
  }
  return { bytes: Buffer.concat(pieces), complete: body.complete, surplus }
}

const read = (text: string) => readAll(Buffer.from(text, 'latin1'))

function inChunks(bytes: Buffer, lengths: readonly number[]): Buffer {
  const parts: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const chunk = bytes.subarray(at, at + (lengths[turn % lengths.length] ?? 1))
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    at += chunk.length
  }
  return Buffer.concat([...parts, Buffer.from(END)])
}

describe('a body in chunks', () => {
  it('is the same however it is cut, by the sender and by the network', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), lengths, lengths, (content, sent, came) => {
        const bytes = Buffer.from(content)
        const got = readAll(inChunks(bytes, sent), came)

        expect(got.bytes.equals(bytes)).toBe(true)
        expect(got).toMatchObject({ complete: true, surplus: false })
      }),
    )
  })

  it('is either refused or read to the same end, whatever was changed and however it is cut', () => {
    const good = inChunks(Buffer.from('a body of some length'), [9, 4])
    const change = fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) })

    fc.assert(
      fc.property(change, fc.integer({ min: 1, max: 9 }), ({ at, to }, length) => {
        const bytes = Buffer.from(good)
        bytes[at] = to
        const outcome = (lengths?: readonly number[]) => {
          try {
            const { bytes: body, complete } = readAll(bytes, lengths)
            return `${complete} ${body.toString('latin1')}`
          } catch (error) {
            return error instanceof MalformedChunksError
          }
        }

        expect(outcome([length])).toEqual(outcome())
      }),
    )
  })

  it.each([
    ['extensions', `3;name="a value"\r\nabc\r\n${END}`],
    ['a blank before them', `3 \t;x\r\nabc\r\n${END}`],
    ['digits in upper case, and zeros', `0003\r\nabc\r\n${END}`],
    ['trailers', '3\r\nabc\r\n0\r\nEtag: "x"\r\nX: \r\n\r\n'],
  ])('may have %s', (_, text) => {
    expect(read(text)).toMatchObject({ bytes: Buffer.from('abc'), complete: true, surplus: false })
  })

  it('is not complete before its last line', () => {
    expect(read('3\r\nabc\r\n0\r\n')).toMatchObject({ bytes: Buffer.from('abc'), complete: false })
    expect(read('3\r\nabc\r\n0\r\nX: 1\r\n').complete).toBe(false)
  })

  it('tells of bytes that come after it', () => {
    expect(read(`${END}H`)).toMatchObject({ complete: true, surplus: true })
  })

  it.each([
    ['a bare line feed after the size', '3\nabc\r\n'],
    ['a bare line feed after the chunk', '3\r\nabc\n'],
    ['more bytes than it says', '3\r\nabcd\r\n'],
    ['fewer bytes than it says', '4\r\nabc\r\n0\r\n\r\n'],
    ['no size', '\r\nabc\r\n'],
    ['a sign', '+3\r\nabc\r\n'],
    ['a prefix', '0x3\r\nabc\r\n'],
    ['a blank before the size', ' 3\r\nabc\r\n'],
    ['a blank after the size', '3 \r\nabc\r\n'],
    ['an underscore', '1_0\r\n'],
    ['a size beyond what a number holds', 'fffffffffffffffff\r\n'],
    ['a zero byte in an extension', '3;\0\r\nabc\r\n'],
    ['a carriage return in an extension', '3;\rx\r\nabc\r\n'],
    ['an extension without an end', `3;${'x'.repeat(2_000)}`],
    ['a trailer that is none', '0\r\nabc\r\n\r\n'],
    ['a folded trailer', '0\r\nX: 1\r\n y\r\n\r\n'],
    ['trailers without an end', `0\r\n${`X: ${'x'.repeat(900)}\r\n`.repeat(20)}`],
  ])('is refused with %s', (_, text) => {
    expect(() => read(text)).toThrow(MalformedChunksError)
  })
})
