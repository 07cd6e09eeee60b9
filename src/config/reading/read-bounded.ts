import { createReadStream } from 'node:fs'
import type { ReadFile } from './file-references.ts'
import { messageOf } from '../../thrown.ts'

/** Larger than any configuration, secret or bundle of certificates. */
export const MAX_FILE_BYTES = 1024 * 1024
// A network file system that hangs must not hang the process with it.
const READ_TIMEOUT_MS = 10_000

/** The UTF-8 text of a file of at most 1 MiB, or why it could not be read, in words. */
export async function readBounded(file: string): Promise<ReadFile> {
  try {
    const bytes = await readUpTo(file, MAX_FILE_BYTES)
    if (bytes.length > MAX_FILE_BYTES) return { ok: false, reason: 'it is larger than 1 MiB' }
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    return { ok: false, reason: reasonOf(error) }
  }
}

async function readUpTo(file: string, bytes: number): Promise<Buffer> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS)
  const chunks: Buffer[] = []
  // `end` is included, so one byte more than allowed is asked for, to see whether there is one.
  for await (const chunk of createReadStream(file, { end: bytes, signal })) {
    if (chunk instanceof Buffer) chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ABORT_ERR: 'it could not be read within 10 seconds',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? messageOf(error)
}
