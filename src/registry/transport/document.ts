import { promisify } from 'node:util'
import { gunzip, inflate, type ZlibOptions } from 'node:zlib'
import type { RegistryResponse } from './exchange.ts'
import { readUpTo } from './body.ts'

type Unpack = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>

// RFC 9110, section 8.4.1.
const CODINGS: ReadonlyMap<string, Unpack> = new Map<string, Unpack>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
])

/**
 * The body of an answer that is read at once, such as a manifest or a list, up to the limit. Some proxies compress it although
 * nobody asked them to: it is given as it was before. What says so and is not compressed is given as it came.
 */
export async function readDocument(
  limit: number,
  { body, header }: Pick<RegistryResponse, 'body' | 'header'>,
): Promise<{ readonly bytes: Buffer; readonly complete: boolean }> {
  const read = await readUpTo(limit, body)
  const unpack = CODINGS.get(header('content-encoding')?.trim().toLowerCase() ?? '')
  if (unpack === undefined || !read.complete) return read
  try {
    return { bytes: await unpack(read.bytes, { maxOutputLength: limit }), complete: true }
  } catch (error) {
    return isTooLarge(error) ? { ...read, complete: false } : read
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}

/** What a login or an error page before a registry answers in its place, often with 200. */
export function isWebPage({ header }: Pick<RegistryResponse, 'header'>): boolean {
  return /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(header('content-type') ?? '')
}

export const WEB_PAGE =
  'the answer is a web page: something before the registry, such as a login or an error page, answers in its place.'
