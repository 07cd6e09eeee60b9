/** Which of a blob's bytes a client is sent. */
export interface ByteRange {
  readonly start: number
  readonly length: number
  /** Of the whole blob. */
  readonly size: number
  readonly partial: boolean
}

/**
 * RFC 9110, section 14.2, as far as clients of registries use it: `bytes=N-`, `bytes=N-M` and `bytes=-N`, the
 * last N. A range of another kind, or one beyond the end, may be answered with the whole.
 */
export function readByteRange(header: string | undefined, size: number): ByteRange {
  const suffix = readSuffix(header, size)
  if (suffix !== undefined) return suffix
  const [, first, last] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  const start = Number(first ?? NaN)
  const end = last === undefined || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (Number.isNaN(start) || start > end) return { start: 0, length: size, size, partial: false }
  return { start, length: end - start + 1, size, partial: true }
}

function readSuffix(header: string | undefined, size: number): ByteRange | undefined {
  const [, last] = /^bytes=-0*([1-9]\d{0,14})$/.exec(header ?? '') ?? []
  if (last === undefined) return undefined
  const length = Math.min(Number(last), size)
  return { start: size - length, length, size, partial: size > 0 }
}
