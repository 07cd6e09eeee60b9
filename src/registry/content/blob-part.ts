import type { BlobPart, Descriptor } from '../../oci/descriptor.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import { readUpTo } from '../transport/body.ts'
import { idempotent } from '../transport/retry.ts'

/** These bytes of a blob, unverified; undefined of a registry that does not give parts. */
export async function getBlobPart(
  session: RepositorySession,
  { digest, size }: Descriptor,
  { offset, length }: BlobPart,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const range = `${offset}-${offset + length - 1}`
  const operation = operationOf(
    session,
    'blob',
    `pull bytes ${range} of blob ${digest} of ${session.repository} from`,
  )
  const response = await session.send({
    operation,
    method: 'GET',
    url: session.links.blob(session.repository, digest),
    headers: { range: `bytes=${range}` },
    scopes: session.readScopes,
    expect: [200, 206, 416],
    repeatable: idempotent,
    brief: true,
    signal,
  })
  const got = response.header('content-range')?.toLowerCase()
  const isPart = got === `bytes ${range}/${size}` || got === `bytes ${range}/*`
  if (response.status !== 206 || !isPart) {
    response.body.destroy()
    return undefined
  }
  const { bytes } = await readUpTo(length, response.body)
  if (bytes.length < length) throw wrongAnswer(operation, 'the answer ended too early.')
  return bytes
}
